import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { startAzurite } from '../test/servers/azurite.ts';
import { startFakeGcs } from '../test/servers/fake-gcs.ts';
import { needServer } from '../test/servers/need-server.ts';
import { startNginx } from '../test/servers/nginx.ts';
import { startOpenssh } from '../test/servers/openssh.ts';
import type { TestServer } from '../test/servers/server.ts';
import { bodyOf } from './blob/bytes.ts';
import { PLAIN_NAMES } from './blob/local/names.ts';
import { openBlobStore } from './blob/open.ts';
import { openPackageCache } from './package/cache.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import { SourceReader } from './source-reader.ts';

/** Names as people give them: capitals, spaces, signs that URLs escape. */
const FILES: Readonly<Record<string, string>> = {
  'Sentiment Model_v1.9.h5': '1.9',
  'Sentiment Model_v1.10.h5': '1.10',
  'models/v1/Model (final)+100%.h5': 'one',
  'models/v2/Model (final)+100%.h5': 'two!',
  'models/v2/metadata.yaml': 'name: churn\n',
  'fraud_2024-01-31.h5': 'old',
};

/** Puts files as they are into a directory that a server serves. */
const intoDirectory = (directory: string) => async (name: string, text: string) => {
  await mkdir(dirname(join(directory, 'models', name)), { recursive: true, mode: 0o777 });
  await writeFile(join(directory, 'models', name), text);
};

const intoStore = (server: TestServer) => async (name: string, text: string) => {
  const store = await openBlobStore(`${server.address}/plain`, { env: server.env });
  await store.write(name, bodyOf(text));
};

await needServer(
  'nginx',
  () => startNginx({ autoindex: true }),
  (server) => {
    const put = intoDirectory(server.directory);
    describePlainFiles('over WebDAV', server.address, server.env, put);
    describePlainFiles('over HTTP', `http://127.0.0.1:${server.port}/models`, server.env, put);
  },
);
await needServer('openssh', startOpenssh, (server) =>
  describePlainFiles('over SFTP', server.address, server.env, intoDirectory(server.directory)),
);
await needServer('fake-gcs-server', startFakeGcs, (server) =>
  describePlainFiles('on GCS', `${server.address}/plain`, server.env, intoStore(server)),
);
await needServer('azurite', startAzurite, (server) =>
  describePlainFiles('on Azure', `${server.address}/plain`, server.env, intoStore(server)),
);

function describePlainFiles(
  where: string,
  address: string,
  env: Readonly<Record<string, string>>,
  put: (name: string, text: string) => Promise<void>,
): void {
  const readerIn = (cache: string): SourceReader =>
    new SourceReader({
      cache: openPackageCache({ directory: cache }),
      directory: join(cache, 'sources'),
      open: (root) => openBlobStore(root, { env, names: PLAIN_NAMES }),
      host: { cwd: '/' },
      env,
    });
  describe(`plain files ${where}`, () => {
    beforeAll(async () => {
      for (const [name, text] of Object.entries(FILES)) await put(name, text);
    });

    test('are found by file, pattern and directory, fetched, and packaged under their own names', async () => {
      await using directory = await testDirectory();
      const reader = readerIn(directory.join('cache'));
      const isUrl = !/^(?:gs|az):/.test(address);
      const found = async (rest: string) => {
        const { record, cached } = await reader.open(`${address}/${isUrl ? rest.replaceAll(' ', '%20') : rest}`);
        return [record.model, record.version.text, cached.description.files.map(({ path }) => path)];
      };
      const name = 'Sentiment Model_v1.10.h5';
      expect(await found(name)).toEqual(['sentiment-model', '1.10', [name]]);
      expect(await found('Sentiment Model_v*.h5')).toEqual(['sentiment-model', '1.10', [name]]);
      expect(await found('models/v*/')).toEqual(['churn', '2', ['Model (final)+100%.h5', 'metadata.yaml']]);
      expect(await found('models/v2')).toEqual(['churn', '2', ['Model (final)+100%.h5', 'metadata.yaml']]);
      await expect(found('fruad_2024-01-31.h5')).rejects.toMatchObject({
        code: 'path-not-found',
        nearest: expect.stringContaining('/fraud_2024-01-31.h5'),
      });
    });

    test('that come later are found by the same pattern', async () => {
      await using directory = await testDirectory();
      const reader = readerIn(directory.join('cache'));
      const word = `swap-${where.replaceAll(' ', '-')}`;
      const pattern = `${address}/${word}_*.h5`;
      await put(`${word}_2024-01-31.h5`, 'old');
      expect((await reader.open(pattern)).record.version.text).toBe('2024-01-31');
      await put(`${word}_2024-02-29.h5`, 'newer');
      const { record, cached } = await reader.open(pattern);
      expect([record.version.text, cached.sizeBytes]).toEqual(['2024-02-29', 5]);
    });
  });
}
