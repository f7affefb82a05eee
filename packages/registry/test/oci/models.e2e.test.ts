/** Versions of models as manifests of the repositories that are called like them, and manifests that become versions. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packTar } from '@ingot/core/package/tar';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type TrialServer, trialServer } from '../trial-server.ts';
import { answerOf, digestOf, imageIn, modelIn, named, type OciClient, ociClient, TYPES } from './oci-client.ts';

const ADMIN = 'ana';
const TAR = 'application/vnd.cncf.model.weight.v1.tar';
let server: TrialServer;
let oci: OciClient;

beforeAll(async () => {
  server = await trialServer({ host: '127.0.0.1' });
  oci = ociClient(server.url);
});

afterAll(() => server[Symbol.asyncDispose]());

/** Asks the native API. */
const native = async (path: string, method = 'GET', body?: object) => {
  const headers = { 'ingot-actor': ADMIN, ...(body && { 'content-type': 'application/json' }) };
  const answer = await server.ask(`/api/v1/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await answer.text();
  return text === '' ? {} : JSON.parse(text);
};

const versionOf = (name: string, version: string) => native(`models/${encodeURIComponent(name)}/versions/${version}`);
const headOf = async (reference: string): Promise<string | null> =>
  (await oci.ask('HEAD', reference)).headers.get('docker-content-digest');

describe('a pushed model', () => {
  test('becomes a version, named by number, label and alias as its tags say, and is read back as it was pushed', async () => {
    const files = { 'model.bin': 'weights', 'docs/readme.md': '# hello' };
    const first = await modelIn(oci, 'team/churn', files);
    const digest = named(first).digest;
    const pushed = await oci.put('team/churn', 'production', first);
    assert.deepEqual([pushed.status, pushed.headers.get('docker-content-digest')], [201, digest]);
    const version = await versionOf('team/churn', '@production');
    assert.deepEqual([version.number, version.fileCount, version.aliases], [1, 2, ['production']]);
    assert.deepEqual((await oci.json('team/churn/tags/list')).tags, ['1', 'latest', 'production']);
    for (const reference of ['1', 'latest', 'production', digest])
      assert.equal(await headOf(`team/churn/manifests/${reference}`), digest, reference);
    const own = await oci.ask('GET', `team/churn/manifests/${version.manifest}`);
    assert.equal(own.headers.get('docker-content-digest'), version.manifest);
    const { layers = [] } = await answerOf(own);
    for (const layer of layers) {
      const blob = await oci.ask('GET', `team/churn/blobs/${layer.digest}`);
      assert.equal(digestOf(Buffer.from(await blob.arrayBuffer())), layer.digest);
    }
    const labelled = await modelIn(oci, 'team/churn', { ...files, 'model.bin': 'more' });
    assert.equal((await oci.put('team/churn', '1.2.0', labelled)).status, 201);
    const second = await versionOf('team/churn', '1.2.0');
    assert.deepEqual([second.number, second.label], [2, '1.2.0']);
    const numbered = await modelIn(oci, 'team/churn', { 'model.bin': 'seven' });
    assert.equal((await oci.put('team/churn', '7', numbered)).status, 201);
    assert.equal(await headOf('team/churn/manifests/latest'), named(numbered).digest);
  });

  test('again is the same version; its tag moves, and follows what other APIs move at once', async () => {
    const one = await modelIn(oci, 'again', { 'a.bin': 'one' });
    const two = await modelIn(oci, 'again', { 'a.bin': 'two' });
    for (const tag of ['production', 'production', 'staging', '1', 'latest'])
      assert.equal((await oci.put('again', tag, one)).status, 201, tag);
    assert.equal((await oci.put('again', digestOf(JSON.stringify(one)), one)).status, 201);
    await oci.put('again', 'production', two);
    assert.deepEqual((await native('models/again')).versions, 2);
    assert.deepEqual((await native('models/again/aliases')).aliases, { production: 2, staging: 1 });
    await native('models/again/aliases/production', 'PUT', { number: 1 });
    assert.equal(await headOf('again/manifests/production'), named(one).digest);
    // A text like a version names one that is there as an alias: its label cannot change.
    assert.equal((await oci.put('again', '3.0.0', one)).status, 201);
    assert.deepEqual((await native('models/again/aliases')).aliases, { '3.0.0': 1, production: 1, staging: 1 });
    // Who did not hear the answer sends it again while the first is still worked on.
    const [three, four] = [
      await modelIn(oci, 'again', { 'a.bin': '3' }),
      await modelIn(oci, 'again', { 'a.bin': '4' }),
    ];
    for (const [tag, model] of [
      ['3.1.0', three],
      ['9', four],
    ] as const) {
      const answers = await Promise.all([1, 2, 3].map(() => oci.put('again', tag, model)));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 201, 201],
        tag,
      );
    }
    assert.deepEqual((await native('models/again')).versions, 4);
  });

  test('under a number or label of another is refused, and nothing changes', async () => {
    const one = await modelIn(oci, 'taken', { 'a.bin': 'one' });
    const two = await modelIn(oci, 'taken', { 'a.bin': 'two' });
    await oci.put('taken', '1.0.0', one);
    for (const tag of ['1', '1.0.0']) {
      const answer = await oci.put('taken', tag, two);
      const { errors: [error] = [] } = await answerOf(answer);
      assert.deepEqual([answer.status, error?.code], [409, 'DENIED']);
      assert.match(error?.message ?? '', /is there already, with other contents/);
    }
    assert.equal(await oci.code(await oci.put('taken', '007', two)), '400 TAG_INVALID');
    assert.equal((await native('models/taken')).versions, 1);
  });

  test('of tars is unpacked, with what may run', async () => {
    const layer = TAR;
    const plain = await oci.blob('tarred', await tar(['w/a.bin', 'a'], ['w/run.sh', '#!', 0o755]), layer);
    const packed = await oci.blob('tarred', gzipSync(await tar(['c/b.txt', 'b'])), `${layer}+gzip`);
    const config = await oci.blob('tarred', '{}', TYPES.modelConfig);
    const manifest = { schemaVersion: 2, mediaType: TYPES.manifest, artifactType: TYPES.model, config };
    const pushed = await oci.put('tarred', '1', { ...manifest, layers: [plain, packed] });
    assert.equal(pushed.status, 201, await pushed.text());
    const { manifest: own } = await versionOf('tarred', '1');
    const { layers = [] } = await oci.json(`tarred/manifests/${own}`);
    const modes = layers.map(({ annotations = {} }) => [
      annotations['org.cncf.model.filepath'],
      JSON.parse(annotations['org.cncf.model.file.metadata+json'] ?? '{}').mode,
    ]);
    assert.deepEqual(modes, [
      ['c/b.txt', 0o644],
      ['w/a.bin', 0o644],
      ['w/run.sh', 0o755],
    ]);
    for (const [path, why] of [
      ['../out', /cannot be used/],
      ['/abs', /cannot be used/],
      ['w/a.bin', /stands where another file does/],
    ] as const) {
      const hostile = await oci.blob('tarred', await tar([path, 'x']), layer);
      const answer = await oci.put('tarred', '2', { ...manifest, layers: [plain, hostile] });
      const { errors: [error] = [] } = await answerOf(answer);
      assert.deepEqual([answer.status, error?.code], [400, 'MANIFEST_INVALID'], path);
      assert.match(error?.message ?? '', why);
    }
    const link = await oci.blob('tarred', await tarOfLink(), layer);
    assert.equal(await oci.code(await oci.put('tarred', '2', { ...manifest, layers: [link] })), '400 MANIFEST_INVALID');
    const bomb = await oci.blob('tarred', gzipSync(Buffer.alloc(80 * 1024 * 1024)), `${layer}+gzip`);
    assert.equal((await oci.put('tarred', '2', { ...manifest, layers: [bomb] })).status, 400);
    const xz = await oci.blob('tarred', 'x', `${layer}+zstd`);
    assert.equal(await oci.code(await oci.put('tarred', '2', { ...manifest, layers: [xz] })), '400 MANIFEST_INVALID');
    assert.equal((await native('models/tarred')).versions, 1);
  });

  test('of folders as the Python client of oras packs them has their files, and archives as they are', async () => {
    const packed = gzipSync(await tar(['tok/a.json', '{}']));
    const type = `${TYPES.layer}+gzip`;
    const layers = await Promise.all(
      ['tok', 'data.tar.gz'].map(async (title) => ({
        ...(await oci.blob('folders', packed, type)),
        annotations: { 'org.opencontainers.image.title': title },
      })),
    );
    const kit = JSON.stringify({ package: { description: 'a kit', authors: ['Ana'] } });
    const config = await oci.blob('folders', kit, 'application/vnd.unknown.config.v1+json');
    const manifest = { schemaVersion: 2, mediaType: TYPES.manifest, config, layers };
    assert.equal((await oci.put('folders', '1', manifest)).status, 201);
    const version = await versionOf('folders', '1');
    assert.deepEqual([version.description, version.author], ['a kit', 'Ana']);
    const own = await oci.json(`folders/manifests/${version.manifest}`);
    assert.deepEqual(
      own.layers?.map(({ annotations = {} }) => annotations['org.cncf.model.filepath']),
      ['data.tar.gz', 'tok/a.json'],
    );
  });

  test('needs paths that can lie beside each other', async () => {
    const bad: Readonly<Record<string, string>>[] = [
      { '../a': 'x' },
      { '/a': 'x' },
      { a: 'x', 'a/b': 'y' },
      { A: 'x', a: 'y' },
    ];
    for (const files of bad)
      assert.equal(
        await oci.code(await oci.put('paths', '1', await modelIn(oci, 'paths', files))),
        '400 MANIFEST_INVALID',
        Object.keys(files).join(),
      );
    assert.equal((await native('models/paths')).code, 'model-not-found');
  });

  test('of a thousand files and more is read as tars, whole and from the middle', async () => {
    const files = Array.from({ length: 1005 }, (_, n): [string, string] => [`data/${n}.txt`, `text ${n % 7}`]);
    const packed = await oci.blob(
      'many',
      gzipSync(await tar(...files)),
      'application/vnd.cncf.model.weight.v1.tar+gzip',
    );
    const { config } = await modelIn(oci, 'many', {});
    const manifest = {
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      artifactType: TYPES.model,
      config,
      layers: [packed],
    };
    assert.equal((await oci.put('many', '1', manifest)).status, 201);
    const { manifest: own } = await versionOf('many', '1');
    const { layers = [] } = await oci.json(`many/manifests/${own}`);
    const [layer] = layers;
    assert.equal(layers.length, 1);
    const whole = Buffer.from(await (await oci.ask('GET', `many/blobs/${layer?.digest}`)).arrayBuffer());
    assert.deepEqual([whole.length, digestOf(whole)], [layer?.size, layer?.digest]);
    const range = { headers: { range: 'bytes=5000-90000' } };
    const part = await oci.ask('GET', `many/blobs/${layer?.digest}`, range);
    assert.equal(part.status, 206);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(5000, 90_001));
  });
});

/** A tar of files: path, text, mode. */
async function tar(...entries: [string, string, number?][]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const files = entries.map(([path, text, mode = 0o644]) => ({
    path,
    mode,
    sizeBytes: text.length,
    open: async function* () {
      yield Buffer.from(text);
    },
  }));
  for await (const piece of packTar(files)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function tarOfLink(): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-link-'));
  try {
    await symlink('/etc/passwd', join(directory, 'link'));
    return execFileSync('tar', ['cf', '-', '-C', directory, 'link']);
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe('beside models', () => {
  test('images and what has no names lie in repositories of their own, and no tag means two things', async () => {
    const image = await imageIn(oci, 'both', 'image');
    assert.equal((await oci.put('both', 'img', image)).status, 201);
    const model = await modelIn(oci, 'both', { 'm.bin': 'm' });
    assert.equal((await oci.put('both', 'production', model)).status, 201);
    assert.deepEqual((await oci.json('both/tags/list')).tags, ['1', 'img', 'latest', 'production']);
    for (const tag of ['production', '1', '2', 'latest'])
      assert.equal(await oci.code(await oci.put('both', tag, image)), '409 DENIED', tag);
    assert.equal(await oci.code(await oci.put('both', 'img', model)), '409 DENIED');
    assert.equal((await oci.put('both', 'img2', image)).status, 201);
    assert.equal((await native('models/both')).versions, 1);
  });

  test('models in deeper names, and indexes of models, are kept as they are', async () => {
    const model = await modelIn(oci, 'a/b/c', { 'm.bin': 'm' });
    assert.equal((await oci.put('a/b/c', '9', model)).status, 201);
    assert.equal(await headOf('a/b/c/manifests/9'), named(model).digest);
    assert.equal((await oci.put('shelf', '1', await modelIn(oci, 'shelf', { 'm.bin': 'm' }))).status, 201);
    const index = {
      schemaVersion: 2,
      mediaType: TYPES.index,
      manifests: [named(await modelIn(oci, 'shelf', { 'm.bin': 'm' }))],
    };
    assert.equal((await oci.put('shelf', 'all', index, TYPES.index)).status, 201);
    assert.equal((await native('models/shelf')).versions, 1);
  });

  test('files with titles alone are a model, and a signature of one is what it refers to', async () => {
    const layer = { ...(await oci.blob('titled', 'w')), annotations: { 'org.opencontainers.image.title': 'w.bin' } };
    const config = await oci.blob('titled', '{}', TYPES.empty);
    const manifest = {
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      artifactType: 'application/x.any',
      config,
      layers: [layer],
    };
    assert.equal((await oci.put('titled', 'dev', manifest)).status, 201);
    const subject = named(manifest);
    const signature = { ...manifest, artifactType: 'application/x.sig', subject };
    assert.equal((await oci.put('titled', digestOf(JSON.stringify(signature)), signature)).status, 201);
    const { manifests = [] } = await oci.json(`titled/referrers/${subject.digest}`);
    assert.deepEqual(
      manifests.map(({ artifactType }) => artifactType),
      ['application/x.sig'],
    );
    assert.equal((await native('models/titled')).versions, 1);
  });
});

describe('deletion in a model', () => {
  test('takes away an alias by its tag, a version by number or digest, and never what an alias names', async () => {
    const [one, two] = [await modelIn(oci, 'less', { 'a.bin': '1' }), await modelIn(oci, 'less', { 'a.bin': '2' })];
    await oci.put('less', 'production', one);
    await oci.put('less', '2.0.0', two);
    const gone = async (reference: string) => {
      const answer = await oci.ask('DELETE', `less/manifests/${reference}`);
      return answer.status === 202 ? 202 : await oci.code(answer);
    };
    assert.equal(await gone('2.0.0'), '405 UNSUPPORTED');
    assert.equal(await gone('latest'), '405 UNSUPPORTED');
    assert.equal(await gone(named(one).digest), '409 DENIED');
    assert.equal(await gone('production'), 202);
    assert.deepEqual((await native('models/less/aliases')).aliases, {});
    assert.equal(await gone(named(one).digest), 202);
    assert.equal(await headOf(`less/manifests/${named(one).digest}`), null);
    assert.equal(await gone('2'), 202);
    assert.equal(await gone('2'), '404 MANIFEST_UNKNOWN');
    assert.equal((await oci.put('less', '3', one)).status, 201);
  });
});

test('a model that gets another name takes its manifests and blobs along', async () => {
  const layer = await oci.blob('before', gzipSync(await tar(['w/a.bin', 'a'])), `${TAR}+gzip`);
  const { layers: raw, ...rest } = await modelIn(oci, 'before', { 'deep/model.bin': 'native' });
  const pushed = { ...rest, layers: [...raw, layer] };
  await oci.put('before', '1', pushed);
  await native('models/before/rename', 'POST', { name: 'after' });
  assert.equal(await headOf('after/manifests/1'), named(pushed).digest);
  assert.equal(await headOf(`after/manifests/${named(pushed).digest}`), named(pushed).digest);
  assert.equal(await headOf('before/manifests/1'), null);
  for (const { digest } of [pushed.config, ...pushed.layers]) {
    const blob = await oci.ask('GET', `after/blobs/${digest}`);
    assert.equal(digestOf(Buffer.from(await blob.arrayBuffer())), digest);
  }
  // What was pushed, too, is pushed again without its bytes being sent.
  assert.equal((await oci.put('after', 'staging', { ...pushed, annotations: { again: 'yes' } })).status, 201);
  assert.ok(!(await oci.json('_catalog?n=1000')).repositories?.includes('before'));
  assert.equal(await oci.code(await oci.ask('GET', 'before/tags/list')), '404 NAME_UNKNOWN');
});

test('a protected alias is moved and taken away by a tag only as policies let it', async () => {
  const [one, two] = [await modelIn(oci, 'held', { 'a.bin': '1' }), await modelIn(oci, 'held', { 'a.bin': '2' })];
  assert.equal((await oci.put('held', 'production', one)).status, 201);
  const policy = { aliases: { production: { approvals: 1, removal: 'refused' } } };
  await native('policies', 'PUT', { policies: { held: policy } });
  assert.equal(await oci.code(await oci.put('held', 'production', two)), '403 DENIED');
  assert.equal(await oci.code(await oci.ask('DELETE', 'held/manifests/production')), '403 DENIED');
  assert.equal(await headOf('held/manifests/production'), named(one).digest);
  assert.equal((await native('models/held')).versions, 1);
  assert.equal((await oci.put('held', 'staging', two)).status, 201);
  await native('models/held/versions/2/approvals', 'POST', { alias: 'production', reason: 'fine' });
  assert.equal((await oci.put('held', 'production', two)).status, 201);
  assert.equal(await headOf('held/manifests/production'), named(two).digest);
});
