/** The clauses of the distribution specification about manifests, tags and referrers, for what is no model. */

import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type TrialServer, trialServer } from '../trial-server.ts';
import { answerOf, digestOf, imageIn, named, type OciClient, ociClient, TYPES } from './oci-client.ts';

let server: TrialServer;
let oci: OciClient;

beforeAll(async () => {
  server = await trialServer({ host: '127.0.0.1' });
  oci = ociClient(server.url);
});

afterAll(() => server[Symbol.asyncDispose]());

const headersOf = ({ headers }: Response, ...names: string[]) => names.map((name) => headers.get(name));

describe('a manifest that was pushed', () => {
  test('is read byte for byte by tag and by digest, with its type, size and digest, also by HEAD', async () => {
    const manifest = await imageIn(oci, 'a/b/c', 'one', { 'x-unknown': { kept: [1, 2] } });
    const text = JSON.stringify(manifest, undefined, 3);
    const pushed = await oci.put('a/b/c', 'v1', text);
    const digest = digestOf(text);
    assert.deepEqual(
      [pushed.status, ...headersOf(pushed, 'location', 'docker-content-digest')],
      [201, `/v2/a/b/c/manifests/${digest}`, digest],
    );
    for (const reference of ['v1', digest])
      for (const method of ['GET', 'HEAD']) {
        const answer = await oci.ask(method, `a/b/c/manifests/${reference}`);
        assert.deepEqual(
          [answer.status, ...headersOf(answer, 'content-type', 'content-length', 'docker-content-digest')],
          [200, TYPES.manifest, String(text.length), digest],
        );
        assert.equal(await answer.text(), method === 'GET' ? text : '');
      }
    const again = await oci.ask('GET', 'a/b/c/manifests/v1', { headers: { 'if-none-match': `"${digest}"` } });
    assert.equal(again.status, 304);
  });

  test('by SHA-512 is called so wherever it is asked by that or by its tags', async () => {
    const text = JSON.stringify(await imageIn(oci, 'by512', 'long'));
    const digest = digestOf(text, 'sha512');
    const pushed = await oci.put('by512', `${digest}?tag=x&tag=y`, text);
    assert.deepEqual([pushed.status, ...headersOf(pushed, 'docker-content-digest', 'oci-tag')], [201, digest, 'x, y']);
    for (const reference of ['x', 'y', digest])
      assert.equal(
        (await oci.ask('HEAD', `by512/manifests/${reference}`)).headers.get('docker-content-digest'),
        digest,
      );
    const short = await oci.ask('HEAD', `by512/manifests/${digestOf(text)}`);
    assert.equal(short.headers.get('docker-content-digest'), digestOf(text));
    await oci.put('by512', 'z', text);
    assert.equal((await oci.ask('HEAD', 'by512/manifests/z')).headers.get('docker-content-digest'), digest);
  });

  test('may be larger, or an index that lacks a platform, where the server is told so; a layer is never absent', async () => {
    await using allowing = await trialServer({ host: '127.0.0.1', largestManifestBytes: 5e6, sparseIndexes: true });
    const there = ociClient(allowing.url);
    const child = await imageIn(there, 'sparse', 'platform');
    const filled = (size: number) => ({ ...child, annotations: { filling: 'x'.repeat(size) } });
    await there.put('sparse', digestOf(JSON.stringify(child)), child);
    const absent = named(await imageIn(oci, 'sparse', 'another'));
    const index = { schemaVersion: 2, mediaType: TYPES.index, manifests: [named(child), absent] };
    assert.equal((await there.put('sparse', 'both', index, TYPES.index)).status, 201);
    assert.equal((await there.ask('GET', `sparse/manifests/${absent.digest}`)).status, 404);
    const broken = { ...child, layers: [{ ...child.layers[0], digest: absent.digest }] };
    assert.equal(await there.code(await there.put('sparse', 'broken', broken)), '400 MANIFEST_BLOB_UNKNOWN');
    const large = filled(4.5e6);
    assert.equal((await there.put('sparse', 'large', large)).status, 201);
    assert.equal(await (await there.ask('GET', 'sparse/manifests/large')).text(), JSON.stringify(large));
    assert.equal(await there.code(await there.put('sparse', 'larger', filled(6e6))), '413 SIZE_INVALID');
    assert.equal(await oci.code(await oci.put('sparse', 'large', large)), '413 SIZE_INVALID');
  });

  test('names only what is there, but for layers that nobody hands on, and subjects', async () => {
    const image = await imageIn(oci, 'whole', 'w');
    const absent = { ...image.config, digest: digestOf('absent'), size: 6 };
    const put = (manifest: object, type?: string) => oci.put('whole', 'x', manifest, type);
    assert.equal(await oci.code(await put({ ...image, layers: [absent] })), '400 MANIFEST_BLOB_UNKNOWN');
    assert.equal(await oci.code(await put({ ...image, config: absent })), '400 MANIFEST_BLOB_UNKNOWN');
    const wrongSize = { ...image, layers: [{ ...image.layers[0], size: 1 }] };
    assert.equal(await oci.code(await put(wrongSize)), '400 MANIFEST_INVALID');
    const foreign = { ...absent, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' };
    assert.equal((await put({ ...image, layers: [foreign] })).status, 201);
    assert.equal((await put({ ...image, layers: [] })).status, 201);
    const subject = { mediaType: TYPES.manifest, digest: digestOf('not there yet'), size: 3 };
    const pushed = await put({ ...image, subject });
    assert.deepEqual([pushed.status, ...headersOf(pushed, 'oci-subject')], [201, subject.digest]);
    const index = (manifests: object[]) => ({ schemaVersion: 2, mediaType: TYPES.index, manifests });
    assert.equal(await oci.code(await put(index([named({})]), TYPES.index)), '400 MANIFEST_BLOB_UNKNOWN');
    assert.equal((await put(image)).status, 201);
    const inner = index([named(image)]);
    assert.equal((await put(inner, TYPES.index)).status, 201);
    assert.equal((await put(index([named(inner, TYPES.index)]), TYPES.index)).status, 201);
  });

  test('is refused where it is malformed, ambiguous, too large or called what it is not', async () => {
    const image = await imageIn(oci, 'bad', 'b');
    const text = JSON.stringify(image);
    const put = async (body: Uint8Array | string | object, reference = 'x', type?: string) =>
      await oci.code(await oci.put('bad', reference, body, type));
    assert.equal(await put('{'), '400 MANIFEST_INVALID');
    assert.equal(await put('[]'), '400 MANIFEST_INVALID');
    assert.equal(await put(Buffer.from([0xff, 0xfe])), '400 MANIFEST_INVALID');
    assert.equal(await put(text.replace('{', '{"layers":[],')), '400 MANIFEST_INVALID');
    assert.equal(await put(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`), '400 MANIFEST_INVALID');
    assert.equal(await put({ ...image, manifests: [] }), '400 MANIFEST_INVALID');
    assert.equal(await put({ ...image, schemaVersion: 1 }), '400 MANIFEST_INVALID');
    assert.equal(await put({ ...image, config: { ...image.config, digest: 'md5:00' } }), '400 MANIFEST_INVALID');
    assert.equal(await put(image, 'x', TYPES.index), '400 MANIFEST_INVALID');
    assert.equal(await put(image, 'x', 'text/plain'), '400 MANIFEST_INVALID');
    assert.equal(await put(text, digestOf('other')), '400 DIGEST_INVALID');
    assert.equal(await put(text, 'sha256:baddigeststring'), '400 DIGEST_INVALID');
    assert.equal(await put(text, `sha256:${'A'.repeat(64)}`), '400 DIGEST_INVALID');
    assert.equal(await put(text, '-x'), '400 TAG_INVALID');
    assert.equal(await put(text, 'x'.repeat(129)), '400 TAG_INVALID');
    const large = { ...image, annotations: { large: 'A'.repeat(4 * 1024 * 1024) } };
    assert.equal(await put(large), '413 SIZE_INVALID');
    assert.equal(await oci.code(await oci.ask('GET', 'bad/manifests/x')), '404 MANIFEST_UNKNOWN');
    assert.equal(
      (await oci.put('bad', 'large', { ...large, annotations: { large: 'A'.repeat(4_000_000) } })).status,
      201,
    );
  });

  test('is nowhere where its address is no text', async () => {
    for (const path of ['%zz/manifests/x', 'a/manifests/%', 'a/manifests/%ff'])
      assert.equal(await oci.code(await oci.ask('GET', path)), '400 NAME_INVALID', path);
  });

  test('of a type that is not known here is kept as it is', async () => {
    const type = 'application/vnd.example.thing.v1+json';
    const text = '{"mediaType":"application/vnd.example.thing.v1+json","any":[null]}';
    assert.equal((await oci.put('things', 'x', text, type)).status, 201);
    const answer = await oci.ask('GET', 'things/manifests/x');
    assert.deepEqual([answer.headers.get('content-type'), await answer.text()], [type, text]);
  });
});

describe('lists', () => {
  test('of tags are sorted, and paged without the last one that was seen', async () => {
    const image = await imageIn(oci, 'tagged', 't');
    for (const tag of ['b', 'B', 'a', '1', '10', '_x']) await oci.put('tagged', tag, image);
    const all = ['1', '10', 'B', '_x', 'a', 'b'];
    assert.deepEqual(await oci.json('tagged/tags/list'), { name: 'tagged', tags: all });
    const found: string[] = [];
    for (let next = 'tagged/tags/list?n=2'; next !== ''; ) {
      const answer = await oci.ask('GET', next);
      const { tags = [] } = await answerOf(answer);
      assert.ok(tags.length <= 2);
      found.push(...tags);
      next = /^<\/v2\/(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? '';
    }
    assert.deepEqual(found, all);
    assert.deepEqual((await oci.json('tagged/tags/list?n=0')).tags, []);
    assert.deepEqual((await oci.json('tagged/tags/list?last=_x')).tags, ['a', 'b']);
    assert.equal((await oci.ask('GET', 'tagged/tags/list?n=-1')).status, 400);
    assert.equal(await oci.code(await oci.ask('GET', 'nowhere/tags/list')), '404 NAME_UNKNOWN');
  });

  test('of referrers are indexes of what says something about a manifest, whether that is there or not', async () => {
    const subject = named({ not: 'there' });
    const about = (artifactType: string | undefined, text: string) =>
      imageIn(oci, 'referred', text, { subject, artifactType, annotations: { about: text } });
    const none = await oci.ask('GET', `referred/referrers/${subject.digest}`);
    assert.deepEqual(
      [none.status, none.headers.get('content-type'), await none.json()],
      [200, TYPES.index, { schemaVersion: 2, mediaType: TYPES.index, manifests: [] }],
    );
    const [signature, other] = [await about('application/vnd.example.sig', 'sig'), await about(undefined, 'other')];
    assert.equal((await oci.put('referred', 'sig', signature)).headers.get('oci-subject'), subject.digest);
    await oci.put('referred', digestOf(JSON.stringify(other)), other);
    const { manifests = [] } = await oci.json(`referred/referrers/${subject.digest}`);
    assert.deepEqual(manifests.map(({ artifactType, annotations }) => [artifactType, annotations]).sort(), [
      ['application/vnd.example.sig', { about: 'sig' }],
      [TYPES.config, { about: 'other' }],
    ]);
    const filtered = await oci.ask(
      'GET',
      `referred/referrers/${subject.digest}?artifactType=application/vnd.example.sig`,
    );
    assert.equal(filtered.headers.get('oci-filters-applied'), 'artifactType');
    assert.deepEqual((await answerOf(filtered)).manifests, [
      manifests.find(({ artifactType }) => artifactType !== TYPES.config),
    ]);
    await oci.ask('DELETE', `referred/manifests/${digestOf(JSON.stringify(signature))}`);
    assert.equal((await oci.json(`referred/referrers/${subject.digest}`)).manifests?.length, 1);
    assert.equal(await oci.code(await oci.ask('GET', 'referred/referrers/sha256:short')), '400 DIGEST_INVALID');
  });

  test('of repositories are paged', async () => {
    for (const name of ['cat/b', 'cat/a']) await oci.put(name, 'x', await imageIn(oci, name, name));
    const { repositories = [] } = await oci.json('_catalog');
    assert.deepEqual([...repositories].sort(), repositories);
    assert.ok(repositories.includes('cat/a') && repositories.includes('cat/b'));
    const first = await oci.ask('GET', '_catalog?n=1');
    assert.equal(
      first.headers.get('link'),
      `</v2/_catalog?n=1&last=${encodeURIComponent(repositories[0] ?? '')}>; rel="next"`,
    );
    assert.deepEqual((await oci.json(`_catalog?last=cat/a`)).repositories?.[0], 'cat/b');
  });
});

describe('deletion', () => {
  test('of a tag leaves the manifest, of a manifest takes its tags along', async () => {
    const image = await imageIn(oci, 'gone', 'g');
    const { digest } = named(image);
    for (const tag of ['a', 'b', 'c']) await oci.put('gone', tag, image);
    assert.equal((await oci.ask('DELETE', 'gone/manifests/a')).status, 202);
    assert.equal((await oci.ask('GET', 'gone/manifests/a')).status, 404);
    assert.equal((await oci.ask('GET', `gone/manifests/${digest}`)).status, 200);
    assert.equal(await oci.code(await oci.ask('DELETE', 'gone/manifests/a')), '404 MANIFEST_UNKNOWN');
    const layer = image.layers[0]?.digest;
    assert.equal((await oci.ask('DELETE', `gone/blobs/${layer}`)).status, 405);
    assert.equal((await oci.ask('DELETE', `gone/manifests/${digest}`)).status, 202);
    assert.equal((await oci.ask('GET', 'gone/manifests/b')).status, 404);
    assert.equal(await oci.code(await oci.ask('DELETE', `gone/manifests/${digest}`)), '404 MANIFEST_UNKNOWN');
    assert.equal((await oci.ask('DELETE', `gone/blobs/${layer}`)).status, 202);
    assert.equal(await oci.code(await oci.ask('GET', 'gone/tags/list')), '404 NAME_UNKNOWN');
  });

  test('of a repository with a tag that moved leaves what the tag names now', async () => {
    const [old, young] = [await imageIn(oci, 'moved', 'old'), await imageIn(oci, 'moved', 'young')];
    await oci.put('moved', 'x', old);
    await oci.put('moved', 'x', young);
    assert.equal((await oci.ask('DELETE', `moved/manifests/${named(old).digest}`)).status, 202);
    assert.equal(
      (await oci.ask('HEAD', 'moved/manifests/x')).headers.get('docker-content-digest'),
      named(young).digest,
    );
  });
});
