import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
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
import { type PreparedReply, type RecordingServer, startRecordingServer } from './testing/recording-server.ts';

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
async function refusedWorkload(tokenUrl = tokens?.url): Promise<string> {
  const path = join(directory, `workload-${randomBytes(4).toString('hex')}.json`);
  await writeFile(join(directory, 'subject'), 'a token');
  const configuration = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: tokenUrl,
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
    test('names the bucket that was meant where the given one is not there', async () => {
      const store = await open('gs://modells/team', { GOOGLE_CLOUD_PROJECT: 'test' });
      const meant = (error: unknown) => isIngotError(error, 'store-not-found') && error.nearest === 'models';
      await assert.rejects(collect(store.read('a')), meant);
      await assert.rejects(store.write('a', bodyOf('x')), meant);
    });

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
    await assert.rejects(
      openGcsBlobStore('gs://models', { env: { GOOGLE_APPLICATION_CREDENTIALS: path } }),
      (error) => {
        assert.ok(isIngotError(error, 'invalid-config'));
        assert.match(error.message, /GOOGLE_APPLICATION_CREDENTIALS names .*not-there\.json/);
        return true;
      },
    );
  });

  test('refuses a configuration that would send a file of this machine to a stranger', async () => {
    const path = await refusedWorkload('https://sts.googleapis.com.example.org/v1/token');
    await failsWith(
      () => openGcsBlobStore('gs://models', { env: { GOOGLE_APPLICATION_CREDENTIALS: path } }),
      'refused',
    );
  });

  test('goes by way of the proxy that is set', async () => {
    const asked: string[] = [];
    const proxy = createServer().on('connect', ({ url = '' }, socket) => {
      asked.push(url);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const env = { HTTPS_PROXY: `http://127.0.0.1:${port}`, INGOT_GCS_ANONYMOUS: 'true' };
    const store = await openGcsBlobStore('gs://models', { env });
    await failsWith(() => collect(store.read('key')), 'unavailable');
    assert.deepEqual(asked, ['storage.googleapis.com:443']);
    await new Promise((resolve) => proxy.close(resolve));
  });
});

describe('the GCS store asks', () => {
  const answers = (body: unknown) => ({ status: 200, body: JSON.stringify(body) });

  test('for new objects to be sealed with the key of Cloud KMS, and names who pays', async () => {
    const server = await startRecordingServer(() => answers({}));
    const kmsKey = 'projects/p/locations/eu/keyRings/ring/cryptoKeys/models';
    const env = { STORAGE_EMULATOR_HOST: server.url, INGOT_GCS_KMS_KEY: kmsKey, INGOT_GCS_USER_PROJECT: 'payer' };
    const store = await openGcsBlobStore('gs://models/team', { env });
    await store.write('key', bodyOf('bytes'));
    await store.delete('key');
    const [write, deletion] = server.requests.map(({ target }) => new URL(target, server.url));
    assert.equal(write?.searchParams.get('kmsKeyName'), kmsKey);
    assert.equal(write?.searchParams.get('ifGenerationMatch'), '0');
    assert.equal(write?.searchParams.get('userProject'), 'payer');
    assert.equal(deletion?.searchParams.get('userProject'), 'payer');
    assert.ok(String(server.requests[0]?.body).includes('"md5Hash":"SzpiGLs+OnMD6KFxpg/Pkg=="'));
    await server.close();
  });

  test('with the key that the customer supplies, reading and writing, small and large', async () => {
    const server = await startRecordingServer(({ method, target }): PreparedReply => {
      if (method === 'GET') return { status: 206, headers: { 'content-range': 'bytes 0-1/9' }, body: 'xy' };
      if (!target.includes('resumable')) return answers({});
      return { status: 200, headers: { location: `${server.url}/session` } };
    });
    const env = { STORAGE_EMULATOR_HOST: server.url, INGOT_GCS_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64') };
    const store = await openGcsBlobStore('gs://models', { env });
    await store.write('small', bodyOf('bytes'));
    await store.write('large', bodyOf(Buffer.alloc(33 * 1024 * 1024)));
    await collect(store.read('small', { range: { start: 0, end: 2 } }));
    for (const { headers } of server.requests) {
      assert.equal(headers['x-goog-encryption-key'], env.INGOT_GCS_ENCRYPTION_KEY);
      assert.equal(headers['x-goog-encryption-key-sha256'], 'S7Bvjk46dxXSAdVz0KpCN2LlXavWGiwCJ4+lbMbSlOA=');
    }
    // The one at once; the session and its three parts; the read.
    assert.equal(server.requests.length, 6);
    assert.match(String(server.requests.at(-2)?.headers['x-goog-hash']), /^md5=/);
    await server.close();
  });

  test('nothing again, and believes no bytes that differ from their MD5', async () => {
    const server = await startRecordingServer(() => ({
      status: 200,
      headers: { 'x-goog-hash': 'crc32c=AAAAAA==,md5=SzpiGLs+OnMD6KFxpg/Pkg==' },
      body: 'bytez',
    }));
    const store = await openGcsBlobStore('gs://models', { env: { STORAGE_EMULATOR_HOST: server.url } });
    await failsWith(() => collect(store.read('key')), 'integrity');
    assert.equal(server.requests.length, 1);
    await server.close();
  });

  test('to be told how long to stay away, once', async () => {
    const server = await startRecordingServer(() => ({
      status: 429,
      headers: { 'retry-after': '3' },
      body: 'slow down',
    }));
    const store = await openGcsBlobStore('gs://models', { env: { STORAGE_EMULATOR_HOST: server.url } });
    await assert.rejects(collect(store.read('key')), (error) => {
      assert.ok(isIngotError(error, 'overloaded'));
      assert.equal(error.details.retryAfterMs, 3000);
      return true;
    });
    await failsWith(() => store.stat('key'), 'overloaded');
    assert.equal(server.requests.length, 2);
    await server.close();
  });
});
