import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { startFakeGcs } from '../../test/servers/fake-gcs.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { isIngotError } from '../errors.ts';
import { bodyOf, collect } from './bytes.ts';
import { failsWith } from './conformance/case.ts';
import { openGcsBlobStore } from './gcs.ts';
import { type RecordingServer, startRecordingServer } from './testing/recording-server.ts';

let directory = '';
let tokens: RecordingServer | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-gcs-'));
  tokens = await startRecordingServer(() => ({
    status: 400,
    body: '{"error":"invalid_grant","error_description":"the token is not accepted"}',
  }));
});

afterAll(async () => {
  await tokens?.close();
  await rm(directory, { recursive: true, force: true });
});

/** Writes the configuration of a workload whose identity nobody accepts. */
async function refusedWorkload(): Promise<string> {
  const path = join(directory, `workload-${randomBytes(4).toString('hex')}.json`);
  await writeFile(join(directory, 'subject'), 'a token');
  const configuration = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: tokens?.url,
    credential_source: { file: join(directory, 'subject') },
  };
  await writeFile(path, JSON.stringify(configuration));
  return path;
}

await needServer('fake-gcs-server', startFakeGcs, (server) => {
  const open = (address: string, env: Record<string, string> = {}) =>
    openGcsBlobStore(address, { env: { ...server.env, ...env } });

  describeRemoteStore('the GCS store on fake-gcs-server', {
    port: server.port,
    open: (place, { port = server.port, silenceSeconds = 30 }) =>
      open(`gs://models/${place}`, {
        STORAGE_EMULATOR_HOST: `http://127.0.0.1:${port}`,
        INGOT_STORAGE_TIMEOUT: String(silenceSeconds),
      }),
    openMissingPlace: (place) => open(`gs://no-such-bucket/${place}`),
    openWithWrongCredentials: async (place) =>
      openGcsBlobStore(`gs://models/${place}`, { env: { GOOGLE_APPLICATION_CREDENTIALS: await refusedWorkload() } }),
  });

  describe('the GCS store', () => {
    test('takes its emulator from the address too, and shows no more than the address', async () => {
      const store = await openGcsBlobStore(`gs://models/by/address/?endpoint=http://127.0.0.1:${server.port}`, {
        env: {},
      });
      await store.write('a', bodyOf('x'));
      assert.equal((await (await open('gs://models/by/address')).stat('a'))?.sizeBytes, 1);
      assert.equal(store.address, `gs://models/by/address?endpoint=http://127.0.0.1:${server.port}`);
    });

    test('skips what others keep under its prefix that is no blob', async () => {
      const store = await open('gs://models/others');
      await store.write('a/b', bodyOf('x'));
      const folder = `http://127.0.0.1:${server.port}/upload/storage/v1/b/models/o?uploadType=media&name=others/a/`;
      await (await fetch(folder, { method: 'POST', body: '' })).text();
      const keys = [];
      for await (const { key } of store.list('')) keys.push(key);
      assert.deepEqual(keys, ['a/b']);
    });

    test('refuses an object version that is no generation', async () => {
      const store = await open('gs://models/versions');
      await failsWith(() => store.stat('key', { objectVersion: 'v1' }), 'usage');
      await failsWith(() => collect(store.read('key', { objectVersion: '1e9' })), 'usage');
    });
  });
});

await needServer(
  'fake-gcs-server with versions',
  () => startFakeGcs({ versioning: true }),
  (server) => {
    test('a bucket with versions tells and reads them all, newest first', async () => {
      const store = await openGcsBlobStore('gs://models', { env: server.env });
      const url = `http://127.0.0.1:${server.port}/upload/storage/v1/b/models/o?uploadType=media&name=model.pkl`;
      for (const text of ['first', 'second one']) await (await fetch(url, { method: 'POST', body: text })).text();
      await store.write('model.pkl.bak', bodyOf('a neighbour'));
      const versions = [];
      for await (const version of store.versions?.('model.pkl') ?? []) versions.push(version);
      assert.deepEqual(
        versions.map(({ sizeBytes, isNewest }) => ({ sizeBytes, isNewest })),
        [
          { sizeBytes: 10, isNewest: true },
          { sizeBytes: 5, isNewest: false },
        ],
      );
      const [newest, oldest] = versions.map(({ objectVersion }) => objectVersion);
      assert.ok(newest !== undefined && oldest !== undefined);
      assert.equal((await store.stat('model.pkl'))?.objectVersion, newest);
      assert.equal(String(await collect(store.read('model.pkl', { objectVersion: oldest }))), 'first');
      assert.equal((await store.stat('model.pkl', { objectVersion: oldest }))?.sizeBytes, 5);
      await failsWith(() => collect(store.read('model.pkl', { objectVersion: '17' })), 'content-not-found');
    });
  },
);

describe('the GCS store without a way in', () => {
  test('names the variable when its key file is not there, and the command when there is none', async () => {
    const path = join(directory, 'not-there.json');
    const store = await openGcsBlobStore('gs://models', { env: { GOOGLE_APPLICATION_CREDENTIALS: path } });
    await assert.rejects(store.stat('key'), (error) => {
      assert.ok(isIngotError(error, 'invalid-config'));
      assert.match(error.message, /GOOGLE_APPLICATION_CREDENTIALS names .*not-there\.json/);
      return true;
    });
  });
});
