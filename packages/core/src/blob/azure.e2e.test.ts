import assert from 'node:assert/strict';
import {
  ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { describe, test } from 'vitest';
import { AZURITE_ACCOUNT, AZURITE_KEY, startAzurite } from '../../test/servers/azurite.ts';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { isIngotError } from '../errors.ts';
import { openAzureBlobStore } from './azure.ts';
import { startRecordingServer } from './testing/recording-server.ts';
import { bodyOf, collect } from './bytes.ts';
import { failsWith, keysOf } from './conformance/case.ts';

await needServer('azurite', startAzurite, (server) => {
  const endpointAt = (port: number) => `http://127.0.0.1:${port}/${AZURITE_ACCOUNT}`;
  const account = new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY);
  const container = new ContainerClient(`${endpointAt(server.port)}/models`, account);
  const open = (address: string, env: Record<string, string> = {}) =>
    openAzureBlobStore(address, { env: { ...server.env, ...env } });
  const openSigned = (address: string, permissions: string, expiresOn: Date) =>
    openAzureBlobStore(address, {
      env: {
        AZURE_STORAGE_ACCOUNT: AZURITE_ACCOUNT,
        INGOT_AZURE_ENDPOINT: endpointAt(server.port),
        AZURE_STORAGE_SAS_TOKEN: `?${generateBlobSASQueryParameters(
          {
            containerName: 'models',
            permissions: ContainerSASPermissions.parse(permissions),
            startsOn: new Date(expiresOn.getTime() - 7_200_000),
            expiresOn,
          },
          account,
        )}`,
      },
    });
  const inAnHour = () => new Date(Date.now() + 3_600_000);

  describeRemoteStore('the Azure store on Azurite', {
    port: server.port,
    open: (place, { port = server.port, silenceSeconds = 30 }) =>
      open(`az://models/${place}`, {
        INGOT_AZURE_ENDPOINT: endpointAt(port),
        INGOT_STORAGE_TIMEOUT: String(silenceSeconds),
      }),
    openMissingPlace: (place) => open(`az://no-such-container/${place}`),
    openWithWrongCredentials: (place) =>
      open(`az://models/${place}`, { AZURE_STORAGE_KEY: Buffer.alloc(64, 1).toString('base64') }),
  });

  describe('the Azure store', () => {
    test('names the container that was meant where the given one is not there', async () => {
      const store = await open('az://modells/team');
      const meant = (error: unknown) => isIngotError(error, 'store-not-found') && error.nearest === 'models';
      await assert.rejects(store.stat('a'), meant);
      await assert.rejects(collect(store.read('a')), meant);
    });

    test('opens by connection string, and by a signature that allows what is done', async () => {
      const text = `DefaultEndpointsProtocol=http;AccountName=${AZURITE_ACCOUNT};AccountKey=${AZURITE_KEY};BlobEndpoint=${endpointAt(server.port)}/;`;
      const store = await openAzureBlobStore('az://models/ways', { env: { AZURE_STORAGE_CONNECTION_STRING: text } });
      await store.write('a', bodyOf('x'));
      const signed = await openSigned('az://models/ways', 'rcl', inAnHour());
      assert.equal(await signed.write('b', bodyOf('y')), 'created');
      assert.equal(await signed.write('a', bodyOf('other')), 'exists');
      assert.deepEqual(await keysOf(signed, ''), ['a', 'b']);
      assert.equal(String(await collect(signed.read('a'))), 'x');
    });

    test('says what a signature lacks, and that one has expired', async () => {
      await (await open('az://models/signed')).write('a', bodyOf('x'));
      const listing = await openSigned('az://models/signed', 'l', inAnHour());
      assert.deepEqual(await keysOf(listing, ''), ['a']);
      await assert.rejects(collect(listing.read('a')), (error) => {
        assert.ok(isIngotError(error, 'forbidden'));
        assert.match(error.message, /signature \(SAS\) does not allow reading/);
        assert.match(error.hint ?? '', /sp= holding r/);
        return true;
      });
      await failsWith(() => listing.write('b', bodyOf('x')), 'forbidden');
      const old = await openSigned('az://models/signed', 'rl', new Date(Date.now() - 3_600_000));
      await assert.rejects(keysOf(old, ''), (error) => {
        assert.ok(isIngotError(error, 'forbidden'));
        assert.match(error.message, /expired/);
        return true;
      });
    });

    test('no message and no detail holds the signature or the key', async () => {
      const old = await openSigned('az://models/signed', 'rl', new Date(Date.now() - 3_600_000));
      await assert.rejects(keysOf(old, ''), (error) => {
        assert.ok(isIngotError(error));
        const told = JSON.stringify([error.message, error.hint, error.details, old.address]);
        assert.ok(!told.includes('sig=') && !told.includes(AZURITE_KEY));
        return true;
      });
    });

    test('reads and tells snapshots, newest first, and pins the present state by its ETag', async () => {
      const blob = container.getBlockBlobClient('shots/model.pkl');
      await blob.upload('first', 5);
      const { snapshot } = await blob.createSnapshot();
      await blob.upload('second one', 10);
      const store = await open('az://models/shots');
      const versions = [];
      for await (const version of store.versions?.('model.pkl') ?? []) versions.push(version);
      assert.deepEqual(
        versions.map(({ sizeBytes, isNewest }) => ({ sizeBytes, isNewest })),
        [
          { sizeBytes: 10, isNewest: true },
          { sizeBytes: 5, isNewest: false },
        ],
      );
      const [present = '', old = ''] = versions.map(({ objectVersion }) => objectVersion);
      assert.equal(old, `snapshot:${snapshot}`);
      assert.equal(String(await collect(store.read('model.pkl', { objectVersion: old }))), 'first');
      assert.equal(String(await collect(store.read('model.pkl', { objectVersion: present }))), 'second one');
      assert.equal((await store.stat('model.pkl', { objectVersion: old }))?.sizeBytes, 5);
      await blob.upload('third', 5);
      assert.equal(await store.stat('model.pkl', { objectVersion: present }), undefined);
      await failsWith(() => collect(store.read('model.pkl', { objectVersion: present })), 'content-not-found');
      await failsWith(() => store.stat('model.pkl', { objectVersion: '7' }), 'usage');
      await failsWith(() => store.delete('model.pkl'), 'refused');
    });

    test('blocks that a dead writer left are not seen and are in nobody’s way', async () => {
      const blob = container.getBlockBlobClient('left/blob');
      await blob.stageBlock(Buffer.from(`${'0'.repeat(24)}-000000`).toString('base64'), 'left', 4);
      const store = await open('az://models/left');
      assert.deepEqual(await keysOf(store, ''), []);
      assert.equal(await store.stat('blob'), undefined);
      const bytes = Buffer.alloc(33 * 1024 * 1024, 5);
      assert.equal(await store.write('blob', bodyOf(bytes)), 'created');
      assert.ok((await collect(store.read('blob'))).equals(bytes));
      assert.equal(await store.write('blob', bodyOf(bytes)), 'exists');
    });

    test('a signature that may only create says exists where a blob is', async () => {
      await (await open('az://models/once')).write('a', bodyOf('x'));
      const creator = await openSigned('az://models/once', 'rc', inAnHour());
      assert.equal(await creator.write('a', bodyOf('other')), 'exists');
      assert.equal(await creator.write('b', bodyOf('new')), 'created');
    });
  });
});

describe('the Azure store asks', () => {
  const etag = { etag: '"0x1"', 'last-modified': 'Sat, 21 Nov 2026 12:00:00 GMT' };

  test('for new blobs to be sealed under the encryption scope, and to be checked by their MD5', async () => {
    const server = await startRecordingServer(() => ({ status: 201, headers: etag }));
    const env = {
      AZURE_STORAGE_ACCOUNT: AZURITE_ACCOUNT,
      AZURE_STORAGE_KEY: AZURITE_KEY,
      INGOT_AZURE_ENDPOINT: `${server.url}/${AZURITE_ACCOUNT}`,
      INGOT_AZURE_ENCRYPTION_SCOPE: 'models',
    };
    const store = await openAzureBlobStore('az://models/team', { env });
    assert.equal(await store.write('small', bodyOf('bytes')), 'created');
    assert.equal(await store.write('large', bodyOf(Buffer.alloc(33 * 1024 * 1024))), 'created');
    // One at once; five blocks and their list.
    assert.equal(server.requests.length, 7);
    for (const { headers } of server.requests) assert.equal(headers['x-ms-encryption-scope'], 'models');
    assert.equal(server.requests[0]?.headers['content-md5'], 'SzpiGLs+OnMD6KFxpg/Pkg==');
    for (const index of [0, 6]) assert.equal(server.requests[index]?.headers['if-none-match'], '*');
    await server.close();
  });

  test('once, and is told how long to stay away', async () => {
    const server = await startRecordingServer(() => ({
      status: 503,
      headers: { 'retry-after': '2', 'x-ms-error-code': 'ServerBusy' },
    }));
    const env = { AZURE_STORAGE_KEY: AZURITE_KEY, AZURE_STORAGE_ACCOUNT: 'x', INGOT_AZURE_ENDPOINT: `${server.url}/x` };
    const store = await openAzureBlobStore('az://models', { env });
    await assert.rejects(store.stat('key'), (error) => {
      assert.ok(isIngotError(error, 'overloaded'));
      assert.equal(error.details.retryAfterMs, 2000);
      return true;
    });
    assert.equal(server.requests.length, 1);
    await server.close();
  });

  test('for an archived blob only to be told what brings it back', async () => {
    const server = await startRecordingServer(() => ({ status: 409, headers: { 'x-ms-error-code': 'BlobArchived' } }));
    const env = { AZURE_STORAGE_KEY: AZURITE_KEY, AZURE_STORAGE_ACCOUNT: 'x', INGOT_AZURE_ENDPOINT: `${server.url}/x` };
    const store = await openAzureBlobStore('az://models', { env });
    await assert.rejects(collect(store.read('key')), (error) => {
      assert.ok(isIngotError(error, 'unavailable') && !error.retryable);
      assert.match(error.hint ?? '', /set-tier/);
      return true;
    });
    await server.close();
  });
});
