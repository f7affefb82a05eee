import assert from 'node:assert/strict';
import {
  ListMultipartUploadsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { beforeAll, describe, test } from 'vitest';
import { startMoto } from '../../test/servers/moto.ts';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { needServer } from '../../test/servers/need-server.ts';
import type { TestServer } from '../../test/servers/server.ts';
import { startVersitygw } from '../../test/servers/versitygw.ts';
import { startS3rver } from '../../test/servers/s3rver.ts';
import type { BlobStore, BlobVersion } from './blob-store.ts';
import { bodyOf, collect } from './bytes.ts';
import { openS3BlobStore } from './s3.ts';

await needServer('versitygw', startVersitygw, (server) =>
  describeRemoteStore('the S3 store on versitygw with versioning', {
    ...subjectOf(server, true),
    except: {
      'a folder of blobs is no blob': 'versitygw has no answer to the deletion of a folder with versions',
      'a deleted blob is gone, deleting it again is nothing, and its neighbours stay':
        'versitygw takes a marker of deletion for an object when it creates if absent',
    },
  }),
);
await needServer('moto', startMoto, (server) =>
  describeRemoteStore('the S3 store on moto', {
    ...subjectOf(server, false),
    except: {
      'keys with line breaks and tabs stay apart, read back and are listed': 'moto finds no key with a line break',
      'of three writers of one large body exactly one creates it, all read its bytes, and nothing else stays':
        'moto checks the condition of a completion before it takes its lock',
    },
  }),
);

await needServer('versitygw', startVersitygw, (server) => describeVersions('versitygw', server));
await needServer('moto', startMoto, (server) => describeVersions('moto', server));

function describeVersions(name: string, server: TestServer): void {
  describe(`the S3 store on a bucket of ${name} with versioning`, () => {
    const client = rawClient(server);

    beforeAll(async () => {
      const VersioningConfiguration = { Status: 'Enabled' } as const;
      await client.send(new PutBucketVersioningCommand({ Bucket: 'models', VersioningConfiguration }));
    });

    test('lists the versions of a key newest first, and reads and looks at each', async () => {
      const store = await openS3BlobStore(`${server.address}/versions`, { env: server.env });
      for (const text of ['one', 'two!', 'three']) await overwrite(client, 'versions/model.pkl', text);
      await overwrite(client, 'versions/model.pkl.sig', 'another key');
      const versions = await collectVersions(store, 'model.pkl');
      assert.deepEqual(
        versions.map(({ sizeBytes, isNewest }) => [sizeBytes, isNewest]),
        [
          [5, true],
          [4, false],
          [3, false],
        ],
      );
      const oldest = versions[2];
      assert.ok(oldest);
      const { objectVersion } = oldest;
      assert.equal(String(await collect(store.read('model.pkl', { objectVersion }))), 'one');
      assert.equal(String(await collect(store.read('model.pkl', { objectVersion, range: { start: 1 } }))), 'ne');
      assert.equal((await store.stat('model.pkl', { objectVersion }))?.sizeBytes, 3);
      const newest = await store.stat('model.pkl');
      assert.equal(newest?.objectVersion, versions[0]?.objectVersion);
      assert.notEqual(newest?.revision, oldest.revision);
    });

    test.skipIf(name === 'versitygw')(
      'finds a deleted key missing, creates it again, and still reads what was there',
      async () => {
        const store = await openS3BlobStore(`${server.address}/markers`, { env: server.env });
        await store.write('key', bodyOf('before'));
        await store.delete('key');
        assert.equal(await store.stat('key'), undefined);
        assert.equal(await store.write('key', bodyOf('after')), 'created');
        const [, before] = await collectVersions(store, 'key');
        assert.equal(String(await collect(store.read('key', before ?? {}))), 'before');
      },
    );

    test('leaves no unfinished upload behind, whoever loses or fails', async () => {
      const env = { ...server.env, INGOT_S3_PART_MIB: '5' };
      const store = await openS3BlobStore(`${server.address}/uploads`, { env });
      const body = bodyOf(Buffer.alloc(21 * 1024 * 1024, 1));
      await Promise.all([store.write('raced', body), store.write('raced', body), store.write('raced', body)]);
      const failing = {
        sizeBytes: body.sizeBytes,
        open: async function* () {
          yield Buffer.alloc(12 * 1024 * 1024);
          throw new Error('the source went away');
        },
      };
      await assert.rejects(store.write('torn', failing), /went away/);
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: 'models' }));
      assert.deepEqual(Uploads, []);
    });
  });
}

function rawClient({ env }: TestServer): S3Client {
  return new S3Client({
    endpoint: env.AWS_ENDPOINT_URL ?? '',
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID ?? '', secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '' },
  });
}

async function overwrite(client: S3Client, Key: string, Body: string): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: 'models', Key, Body }));
}

async function collectVersions(store: BlobStore, key: string): Promise<BlobVersion[]> {
  const versions: BlobVersion[] = [];
  assert.ok(store.versions);
  for await (const version of store.versions(key)) versions.push(version);
  return versions;
}

await needServer('s3rver', startS3rver, (server) => {
  describe('a server that lies about conditions', () => {
    test('overwrites what it was told to create, which only a probe shows', async () => {
      const store = await openS3BlobStore(`${server.address}/liar`, { env: server.env });
      assert.equal(store.capabilities.createIfAbsent, 'unverified');
      await store.write('key', bodyOf('first'));
      assert.equal(await store.write('key', bodyOf('second')), 'created');
      assert.equal(String(await collect(store.read('key'))), 'second');
    });
  });
});

function subjectOf(server: TestServer, checksSignatures: boolean) {
  const env = { ...server.env, INGOT_S3_PART_MIB: '5' };
  return {
    port: server.port,
    open: (place: string, { port = server.port, silenceSeconds = 30 }) =>
      openS3BlobStore(`${server.address}/${place}`, {
        env: { ...env, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, INGOT_STORAGE_TIMEOUT: String(silenceSeconds) },
      }),
    openMissingPlace: () => openS3BlobStore('s3://modles', { env }),
    ...(checksSignatures && {
      openWithWrongCredentials: (place: string) =>
        openS3BlobStore(`${server.address}/${place}`, { env: { ...env, AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' } }),
    }),
  };
}
