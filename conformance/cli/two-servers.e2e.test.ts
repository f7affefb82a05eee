/** Two `ingot up` over one Postgres and one strict bucket, as operators start them: the command as it is built. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, it } from 'vitest';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { startPostgresAndBucket } from '../../packages/core/test/servers/postgres-and-bucket.ts';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

beforeAll(buildOnce);

interface Up extends AsyncDisposable {
  readonly url: string;
}

async function up(cwd: string, state: string, env: Record<string, string>): Promise<Up> {
  const child = spawn(process.execPath, [BINARY, 'up', '--port', '0', '--json'], {
    cwd,
    env: { ...worldOf(cwd), ...env, INGOT_STATE: join(cwd, state) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const first: string = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('close', (status) => reject(new Error(`ingot up ended with ${status}`)));
  });
  const { url }: { url: string } = JSON.parse(first);
  return {
    url,
    [Symbol.asyncDispose]: () => {
      if (child.exitCode === null) child.kill('SIGTERM');
      return closed;
    },
  };
}

await needServer('postgres and versitygw', startPostgresAndBucket, ({ postgres, bucket }) => {
  it('what one server is told the other knows at once; one after the other is started anew, and a lost index comes back', async () => {
    using directory = workDirectory();
    const cwd = directory.path;
    const env = { ...bucket.env, INGOT_REGISTRY: 's3://models/two', INGOT_DB: postgres.address };
    const ask = async (server: Up, line: string): Promise<string> => {
      const at = { INGOT_REGISTRY: server.url };
      const { status, stdout, stderr } = await runIngot(line.split(' '), { cwd, env: at });
      expect([line, status, stderr]).toEqual([line, 0, expect.anything()]);
      return stdout;
    };
    const weights = randomBytes(100_000);
    mkdirSync(join(cwd, 'churn'));
    writeFileSync(join(cwd, 'churn', 'weights.bin'), weights);

    await using one = await up(cwd, 'one', env);
    await using two = await up(cwd, 'two', env);
    await ask(one, 'push churn --name team/churn --alias production --quiet');
    expect(JSON.parse(await ask(two, 'ls team/churn --json'))).toMatchObject({ model: { all: [{ number: 1 }] } });
    await one[Symbol.asyncDispose]();
    await ask(two, 'edit team/churn:1 --tag seen=yes --quiet');
    await using again = await up(cwd, 'one', env);
    expect(await ask(again, 'show team/churn@production --json')).toContain('"seen"');

    const reindexed = await runIngot(['reindex', '--json'], { cwd, env });
    expect(JSON.parse(reindexed.stdout)).toMatchObject({ models: 1, versions: 1, problems: [] });
    await ask(again, 'pull team/churn@production -o out --quiet');
    expect(readFileSync(join(cwd, 'out', 'weights.bin')).equals(weights)).toBe(true);
  });
});
