/** The command line on storages other than a directory: the same commands, with no server of Ingot's in between. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startApache } from '../../packages/core/test/servers/apache.ts';
import { startAzurite } from '../../packages/core/test/servers/azurite.ts';
import { startFakeGcs } from '../../packages/core/test/servers/fake-gcs.ts';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { startOpenssh } from '../../packages/core/test/servers/openssh.ts';
import type { TestServer } from '../../packages/core/test/servers/server.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';

beforeAll(buildOnce);

await needServer('versitygw', startVersitygw, (server) => {
  describeCommands('S3', server);
  describeMistakes(server);
});
await needServer('fake-gcs-server', startFakeGcs, (server) => describeCommands('Google Cloud Storage', server));
await needServer('azurite', startAzurite, (server) => describeCommands('Azure Blob Storage', server));
await needServer('apache', startApache, (server) => describeCommands('WebDAV', server));
await needServer('OpenSSH', startOpenssh, (server) => describeCommands('SFTP', server));

function describeCommands(name: string, server: TestServer): void {
  describe(`a registry on ${name}`, () => {
    it('takes versions, moves aliases, tells their history and gives every version back', async () => {
      using directory = workDirectory({ 'model.bin': 'first', 'again.bin': 'second' });
      const env = { ...server.env, INGOT_REGISTRY: `${server.address}/team` };
      const ingot = async (...words: string[]) => {
        const result = await runIngot(words, { cwd: directory.path, env });
        expect(result.status, result.stderr).toBe(0);
        return result.stdout;
      };
      await ingot('push', 'model.bin', '--name', 'churn', '--alias', 'production', '--quiet');
      expect(await ingot('push', 'again.bin', '--name', 'churn', '--alias', 'production', '--quiet')).toBe('churn:2\n');
      await ingot('rollback', 'churn', '-m', 'worse');
      expect(JSON.parse(await ingot('ls', '--json'))).toMatchObject({ models: [{ name: 'churn' }] });
      expect(await ingot('history', 'churn')).toMatch(/production moved from 2 to 1 +“worse”/);
      for (const [reference, file, text] of [
        ['churn@production', 'model.bin', 'first'],
        ['churn:2', 'again.bin', 'second'],
      ] as const) {
        await ingot('pull', reference, '-o', file.replace('.bin', '-out'));
        expect(readFileSync(join(directory.path, file.replace('.bin', '-out'), file), 'utf8')).toBe(text);
      }
    });
  });
}

function describeMistakes(server: TestServer): void {
  describe('a registry on S3', () => {
    it('says what to set where the credentials are wrong, and which bucket was meant where there is none', async () => {
      using directory = workDirectory({});
      const run = (env: Readonly<Record<string, string>>) =>
        runIngot(['ls'], {
          cwd: directory.path,
          env: { ...server.env, INGOT_REGISTRY: `${server.address}/team`, ...env },
        });
      const wrong = await run({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' });
      expect(wrong.status).toBe(4);
      expect(wrong.stderr).toMatch(/AWS_SECRET_ACCESS_KEY/);
      expect(wrong.stderr).not.toMatch(/not-the-secret/);
      const missing = await run({ INGOT_REGISTRY: 's3://modles/team' });
      expect(missing.status).toBe(3);
      expect(missing.stderr).toMatch(/no bucket "modles"[\s\S]*models/);
    });
  });
}
