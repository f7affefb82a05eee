/** Does what the README says, block by block, in a store of its own. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../scripts/demo/engine.mjs';
import { inRoot, pythonOf, VENV } from '../scripts/lib/paths.mjs';
import { run } from '../scripts/lib/run.mjs';

const readme = readFileSync(inRoot('README.md'), 'utf8');
const blocks = [...readme.matchAll(/<!-- tested -->\n```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({ language, text }));
const [serving, curl, python] = blocks;
const canRun = existsSync(pythonOf(VENV)) || process.env.CI === 'true';

describe.skipIf(!canRun)('the README (needs the Python environment of npm run setup)', () => {
  let home;
  let env;
  let server;
  let port;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'ingot-readme-'));
    port = await freePort();
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('INGOT_'));
    env = {
      ...Object.fromEntries(kept),
      HOME: home,
      INGOT_REGISTRY: join(home, 'store'),
      INGOT_CACHE: join(home, 'cache'),
      PATH: `${dirname(pythonOf(VENV))}${delimiter}${process.env.PATH}`,
    };
  });

  afterAll(async () => {
    await server?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  test('its hand-written package is trained, pushed and served by the commands as printed', async () => {
    expect(serving.language).toBe('sh');
    server = startShell(`set -e\n${serving.text.trim()} --port ${port}\n`, env);
    await server.until(async () => (await fetch(`http://127.0.0.1:${port}/v2/health/ready`)).ok);
  });

  test('its curl command gets a prediction that names version and digest', async () => {
    const { stdout } = await run('sh', ['-c', curl.text.replace(':8080', `:${port}`)], { env });
    expect(JSON.parse(stdout)).toEqual({
      predictions: [expect.closeTo(0.79, 1)],
      model: 'churn',
      version: expect.anything(),
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
  });

  test('its Python lines push, promote and predict', async () => {
    const { stdout } = await run(pythonOf(VENV), ['-c', `${python.text.trim().replace(/^(.*)$(?![\s\S])/m, 'print([int(label) for label in $1])')}`], { env });
    expect(stdout).toContain('[0, 0, 0]');
  });
});

/** Runs a script whose last command does not end; stops all of it at once. */
function startShell(script, env) {
  const child = spawn('sh', ['-c', script], { cwd: inRoot(), env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  return {
    async until(isReady) {
      for (;;) {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${output}`);
        if (await isReady().catch(() => false)) return; // Not listening yet.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async stop() {
      if (child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
      await ended;
    },
  };
}
