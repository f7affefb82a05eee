/** What refers to versions, as two servers know it whose databases have nothing but the store in common. */

import assert from 'node:assert/strict';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { collect } from '@ingot/core/collect';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type TrialServer, trialServer } from '../trial-server.ts';
import { digestOf, modelIn, named, type Named, type OciClient, ociClient, TYPES } from './oci-client.ts';

let store: BlobStore | undefined;
const servers: TrialServer[] = [];
let oci: OciClient;

/** A server over the one store, with a database of its own. */
const another = async (): Promise<OciClient> => {
  const server = await trialServer({ host: '127.0.0.1' }, (fresh) => {
    store ??= fresh;
    return store;
  });
  servers.push(server);
  return ociClient(server.url);
};

beforeAll(async () => {
  oci = await another();
});

afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

/** Pushes a model and gives what a subject is called. */
const modelOf = async (repository: string, text: string, tag = 'production'): Promise<Named> => {
  const manifest = await modelIn(oci, repository, { 'model.bin': text });
  assert.equal((await oci.put(repository, tag, manifest)).status, 201);
  return named(manifest);
};

/** A signature of a subject; its blobs are pushed. */
const signature = async (repository: string, text: string, subject?: Named, config: string = TYPES.empty) => ({
  schemaVersion: 2,
  mediaType: TYPES.manifest,
  artifactType: 'application/vnd.example.sig',
  config: await oci.blob(repository, '{}', config),
  layers: [await oci.blob(repository, `signature of ${text}`)],
  ...(subject && { subject }),
  annotations: { of: text },
});

const byDigest = async (repository: string, manifest: object, client = oci) => {
  const answer = await client.put(repository, digestOf(JSON.stringify(manifest)), manifest);
  assert.equal(answer.status, 201, await answer.text());
  return named(manifest).digest;
};

const referrers = async (client: OciClient, repository: string, { digest }: Pick<Named, 'digest'>) =>
  ((await client.json(`${repository}/referrers/${digest}`)).manifests ?? []).map((each) => each.digest);

describe('what refers to a version', () => {
  test('is there at a server whose database knows only the store: lists, manifests, blobs, and what was signed', async () => {
    const subject = await modelOf('signed', 'one');
    const first = await signature('signed', 'one', subject);
    const digest = await byDigest('signed', first);
    const ofSignature = await byDigest('signed', await signature('signed', 'the signature', named(first)));
    const tag = `${subject.digest.replace(':', '-')}.sig`;
    const plain = await signature('signed', 'by tag', undefined, TYPES.config);
    assert.equal((await oci.put('signed', tag, plain)).status, 201);
    await collect({ blobs: store ?? assert.fail(), actor: 'test', graceMs: 0 });

    const other = await another();
    for (const client of [oci, other]) {
      assert.deepEqual(await client.json(`signed/referrers/${subject.digest}`), {
        schemaVersion: 2,
        mediaType: TYPES.index,
        manifests: [{ ...named(first), artifactType: first.artifactType, annotations: first.annotations }],
      });
      assert.deepEqual(await referrers(client, 'signed', { digest }), [ofSignature]);
      assert.deepEqual((await client.json('signed/tags/list')).tags, ['1', 'latest', 'production', tag]);
      for (const [reference, manifest] of [
        [digest, first],
        [tag, plain],
      ] as const) {
        const answer = await client.ask('GET', `signed/manifests/${reference}`);
        assert.equal(await answer.text(), JSON.stringify(manifest));
        for (const { digest: blob } of [manifest.config, ...manifest.layers]) {
          const bytes = await (await client.ask('GET', `signed/blobs/${blob}`)).arrayBuffer();
          assert.equal(digestOf(Buffer.from(bytes)), blob);
        }
      }
      // What was signed is what the tag still names.
      for (const reference of ['production', '1', subject.digest]) {
        const answer = await client.ask('HEAD', `signed/manifests/${reference}`);
        assert.equal(answer.headers.get('docker-content-digest'), subject.digest);
      }
    }
  });

  test('goes at every server when it is deleted at one, when its tag is given to another, and with its version', async () => {
    const subject = await modelOf('ended', 'one', '1');
    const next = await modelOf('ended', 'two', '2');
    const digest = await byDigest('ended', await signature('ended', 'one', subject));
    const kept = await byDigest('ended', await signature('ended', 'kept', subject));
    const last = await byDigest('ended', await signature('ended', 'two', next));
    const tag = `${next.digest.replace(':', '-')}.sig`;
    for (const text of ['first', 'second'])
      await oci.put('ended', tag, await signature('ended', text, undefined, TYPES.config));
    assert.equal((await oci.ask('DELETE', `ended/manifests/${digest}`)).status, 202);
    const other = await another();
    assert.deepEqual(await referrers(other, 'ended', subject), [kept]);
    assert.deepEqual(await referrers(oci, 'ended', subject), [kept]);
    assert.equal(await other.code(await other.ask('GET', `ended/manifests/${digest}`)), '404 MANIFEST_UNKNOWN');
    assert.deepEqual((await other.json(`ended/manifests/${tag}`)).annotations, { of: 'second' });
    assert.equal((await oci.ask('DELETE', `ended/manifests/${tag}`)).status, 202);
    assert.equal(await oci.code(await oci.ask('GET', `ended/manifests/${tag}`)), '404 MANIFEST_UNKNOWN');
    assert.equal((await oci.ask('DELETE', 'ended/manifests/2')).status, 202);
    for (const client of [oci, await another()]) {
      assert.deepEqual(await referrers(client, 'ended', next), []);
      assert.equal((await client.ask('GET', `ended/manifests/${last}`)).status, 404);
      assert.deepEqual(await referrers(client, 'ended', subject), [kept]);
    }
  });

  test('counts also when it was pushed first, and again changes nothing', async () => {
    const model = await modelIn(oci, 'early', { 'model.bin': 'early' });
    const early = await signature('early', 'early', named(model));
    const digest = await byDigest('early', early);
    await oci.put('early', '1', model);
    await byDigest('early', early);
    assert.deepEqual(await referrers(await another(), 'early', named(model)), [digest]);
    const history = await fetch(`${servers[0]?.url}/api/v1/models/early/history`);
    const { items }: { readonly items: readonly { readonly summary: string }[] } = JSON.parse(await history.text());
    const told = items.map(({ summary }) => summary);
    assert.equal(told.filter((line) => line.includes('attached')).length, 1);
    assert.match(told.join('\n'), /\(application\/vnd\.example\.sig\) attached to sha256:/);
  });
});
