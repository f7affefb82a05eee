import { PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { startMoto } from '../test/servers/moto.ts';
import { needServer } from '../test/servers/need-server.ts';
import type { TestServer } from '../test/servers/server.ts';
import { startVersitygw } from '../test/servers/versitygw.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { openBlobStore } from './blob/open.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { type ImportOptions, planImport, runImport } from './import.ts';
import { openPackageCache } from './package/cache.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import { SourceReader } from './source-reader.ts';

await needServer('versitygw', startVersitygw, (server) => describePlainFiles('versitygw', server));
await needServer('moto', startMoto, (server) => describePlainFiles('moto', server));

function describePlainFiles(name: string, server: TestServer): void {
  describe(`plain files in a versioned bucket of ${name}`, () => {
    const bucket = new URL(server.address).host;
    const put = async (key: string, text: string): Promise<string | undefined> => {
      const { VersionId } = await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text }));
      return VersionId;
    };
    const client = new S3Client({
      endpoint: server.env.AWS_ENDPOINT_URL ?? server.env.AWS_ENDPOINT_URL_S3 ?? '',
      region: server.env.AWS_REGION ?? 'us-east-1',
      forcePathStyle: true,
      credentials: {
        accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
      },
    });
    const versions: (string | undefined)[] = [];

    beforeAll(async () => {
      const VersioningConfiguration = { Status: 'Enabled' } as const;
      await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
      for (const text of ['first', 'second', 'third']) versions.push(await put('plain/fraud.h5', text));
      await put('plain/Sentiment Model_v1.9.h5', '1.9');
      await put('plain/Sentiment Model_v1.10.h5', '1.10');
      await put('plain/models/v1/model.h5', 'one');
      await put('plain/models/v2/model.h5', 'two');
      await put('plain/models/v2/metadata.yaml', 'name: churn\n');
    });

    const readerIn = (directory: string): SourceReader =>
      new SourceReader({
        cache: openPackageCache({ directory }),
        directory: `${directory}/sources`,
        open: (address) => openBlobStore(address, { env: server.env }),
        host: { cwd: '/' },
        env: server.env,
      });

    test('a file, a pattern, a directory and an object version are found, fetched and packaged', async () => {
      await using directory = await testDirectory();
      const reader = readerIn(directory.join('cache'));
      const found = async (rest: string) => {
        const { record, cached } = await reader.open(`s3://${bucket}/plain/${rest}`);
        return [record.model, record.version.text, cached.sizeBytes];
      };
      expect(await found('Sentiment Model_v*.h5')).toEqual(['sentiment-model', '1.10', 4]);
      expect(await found('Sentiment Model_v1.9.h5')).toEqual(['sentiment-model', '1.9', 3]);
      expect(await found('models/v*/')).toEqual(['churn', '2', 15]);
      expect(await found('models/v1')).toMatchObject([expect.anything(), '1', 3]);
      expect((await found('fraud.h5'))[2]).toBe(5);
      expect((await found(`fraud.h5?versionId=${versions[1]}`))[2]).toBe(6);
      await expect(found('fruad.h5')).rejects.toMatchObject({
        code: 'path-not-found',
        nearest: `s3://${bucket}/plain/fraud.h5`,
      });
      await expect(reader.open('s3://no-such-bucket-here/m_v*.h5')).rejects.toMatchObject({
        code: expect.stringMatching(/not-found|forbidden/),
      });
    });

    test('the versions of an object become versions of a model, once', async () => {
      await using directory = await testDirectory();
      const blobs = createMemoryBlobStore();
      await createStore(blobs);
      const registry = openLogRegistry({ blobs, actor: 'test' });
      const contents = createBlobContentStore(blobs);
      const options: ImportOptions = { reader: readerIn(directory.join('cache')), registry, objectVersions: true };
      const run = async () =>
        await runImport(await planImport(`s3://${bucket}/plain/fraud.h5`, options), { ...options, contents });
      const first = await run();
      expect(first.outcomes.map(({ state, number, item }) => [state, number, item.match.sizeBytes])).toEqual([
        ['added', 1, 5],
        ['added', 2, 6],
        ['added', 3, 5],
      ]);
      expect((await run()).outcomes.map(({ state }) => state)).toEqual(['there', 'there', 'there']);
      expect((await registry.model(parseModelName('fraud'))).all).toHaveLength(3);
    });
  });
}
