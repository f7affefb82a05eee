/** Does what examples/mlflow/README.md says, block by block, with MLflow's own client. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findMlflow } from '../packages/core/test/servers/mlflow.ts';
import { needServer } from '../packages/core/test/servers/need-server.ts';
import { freePort } from '../scripts/demo/engine.mjs';
import { inRoot } from '../scripts/lib/paths.mjs';

const page = readFileSync(inRoot('examples/mlflow/README.md'), 'utf8');
const [logged, served, asked] = [...page.matchAll(/<!-- tested -->\n```sh\n([\s\S]*?)```/g)].map(([, text]) => text);

let home;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'ingot-mlflow-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

await needServer('mlflow', findMlflow, ({ bin }) => {
  test('an unmodified client of MLflow logs, registers and loads, and what it registered is served', async () => {
    const [registry, models] = [await freePort(), await freePort()];
    const ready = `until curl -sf http://127.0.0.1:${models}/v2/health/ready > /dev/null; do sleep 0.2; done\n`;
    const script = ['set -e\ntrap "trap : TERM; kill 0" EXIT\n', logged, served, ready, asked]
      .join('\n')
      .replaceAll(':8585', `:${registry}`)
      .replaceAll(':8080', `:${models}`)
      .replaceAll('ingot up', `ingot up --port ${registry}`)
      .replaceAll('--env current', `--env current --port ${models}`);
    const said = await shell(script, bin);
    expect(said).toContain('versions of wine: 1\nchampion says: [0, 2, 1]');
    expect(said).toMatch(/flavor +sklearn/);
    expect(said).toMatch(/wine:1 +champion/);
    expect(said).toMatch(/run [0-9a-f]{32}/);
    expect(said).toContain('{"predictions":[0]');
  }, 240_000);
});

/** Runs a script in a process group of its own, which ends with it, and gives what it printed. */
async function shell(script, bin) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(INGOT|MLFLOW)_/.test(name));
  const env = {
    ...Object.fromEntries(kept),
    HOME: home,
    INGOT_CACHE: join(home, 'cache'),
    MLFLOW_DISABLE_TELEMETRY: 'true',
    PATH: `${bin}${delimiter}${process.env.PATH}`,
  };
  const { stdout } = await promisify(execFile)('setsid', ['-w', 'bash', '-c', script], {
    cwd: inRoot(),
    env,
    maxBuffer: 1 << 24,
  });
  return stdout;
}
