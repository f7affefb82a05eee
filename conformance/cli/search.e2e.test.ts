/** Searches, lineage and what runs where, as somebody types them: over a store, and over a registry server. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, it } from 'vitest';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

const MODEL = readFileSync(join(import.meta.dirname, '../../examples/onnx-digits/digits.onnx'));

beforeAll(buildOnce);

/** A server process, and the document that it printed when it was up. */
async function running(cwd: string, words: readonly string[], env: Record<string, string> = {}) {
  const child: ChildProcess = spawn(process.execPath, [BINARY, ...words, '--port', '0', '--json'], {
    cwd,
    env: { ...worldOf(cwd), INGOT_STATE: join(cwd, 'state'), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new TypeError('standard output is a pipe');
  const lines = createInterface({ input: child.stdout });
  const line: string = await new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', (status) => reject(new Error(`${words[0]} ended with ${status}`)));
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    said: JSON.parse(line),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

it('searches, tells lineage, and knows who answered with what', async () => {
  using directory = workDirectory({
    'first.json': JSON.stringify({
      lineage: { run: 'r1', data: [{ name: 'customers', digest: 'sha256:77' }] },
      environment: { requirements: ['scikit-learn==1.4.2'] },
    }),
    'second.json': JSON.stringify({
      lineage: { parents: ['digits:1'] },
      environment: { requirements: ['scikit-learn==1.10.0'] },
    }),
    'second/notes.txt': 'other files make another version',
  });
  const cwd = directory.path;
  for (const path of ['first.onnx', 'second/m.onnx']) writeFileSync(join(cwd, path), MODEL);
  const ingot = async (words: readonly string[], env: Record<string, string> = {}) => {
    const { status, stdout, stderr } = await runIngot(words, { cwd, env });
    return { status, lines: stdout.trim().split('\n'), stderr };
  };
  const push = (path: string, captured: string, ...more: readonly string[]) =>
    ingot(['push', path, '--name', 'digits', '--captured', captured, '--quiet', ...more]);
  expect(await push('first.onnx', 'first.json', '--metric', 'auc=0.9', '--alias', 'production')).toMatchObject({
    status: 0,
  });
  expect(await push('second', 'second.json', '--metric', 'auc=0.97', '--tag', 'team=growth')).toMatchObject({
    status: 0,
  });

  await using registry = await running(cwd, ['up']);
  const overServer: Record<string, string> = { INGOT_REGISTRY: registry.said.url };
  for (const env of [{}, overServer]) {
    const found = async (...words: readonly string[]) => (await ingot([...words, '--quiet'], env)).lines;
    expect(await found('search', 'metrics.auc > 0.8', '--sort', '-metrics.auc')).toEqual(['digits:2', 'digits:1']);
    expect(await found('search', 'package:scikit-learn', '<', '1.5')).toEqual(['digits:1']);
    expect(await found('search', 'growth')).toEqual(['digits:2']);
    const longerThanAnAddress = Array.from({ length: 20 }, (_, n) => `name != ${'x'.repeat(400)}${n}`).join(' AND ');
    expect(await found('search', longerThanAnAddress, '--sort', 'version')).toEqual(['digits:1', 'digits:2']);
    expect(await found('ls', 'digits', '--where', 'alias = production')).toEqual(['digits:1']);
    expect(await found('ls', '--where', 'metrics.auc > 2')).toEqual(['']);
    expect(await found('lineage', 'digits:1', '--down')).toEqual(['digits:2']);
    expect(await ingot(['search', 'metric = 1'], env)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no field "metric"'),
    });
  }

  const env = overServer;
  expect(await ingot(['deployments'])).toMatchObject({ status: 2 });
  const deployed = async (...words: readonly string[]) => {
    const { lines } = await ingot(['deployments', ...words, '--json'], env);
    const { deployments }: { deployments: { number: number; isLive: boolean }[] } = JSON.parse(lines.join('\n'));
    return deployments.map(({ number, isLive }) => [number, isLive]);
  };
  {
    await using _ = await running(cwd, ['serve', 'digits@production'], env);
    await expect.poll(() => deployed('--live'), { timeout: 20_000 }).toEqual([[1, true]]);
    expect(await ingot(['promote', 'digits:2'], env)).toMatchObject({ status: 0 });
    await expect.poll(() => deployed('--live'), { timeout: 20_000 }).toEqual([[2, true]]);
  }
  expect(await deployed()).toEqual([
    [2, false],
    [1, false],
  ]);
  expect(await deployed('digits:1', '--from', '-1h')).toEqual([[1, false]]);
  expect(await deployed('digits', '--at', '2020-01-01')).toEqual([]);
}, 120_000);
