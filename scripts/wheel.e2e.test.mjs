import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inRoot, pythonOf, VENV } from './lib/paths.mjs';
import { buildWheel } from './wheel.mjs';

const run = promisify(execFile);
const UV = join(dirname(pythonOf(VENV)), 'uv');
const { version } = JSON.parse(readFileSync(inRoot('packages/cli/package.json'), 'utf8'));

const THREE_LINES = `
import ingot
def double(rows): return [row["x"] * 2 for row in rows]
ingot.push(double, "double", X=[{"x": 1}], alias="production")
print(ingot.load("double@production").predict({"x": 21}))
`;

let work;
let wheel;
/** PATH holds the environment alone: no node, no npm, no other Python. */
let env;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'ingot-wheel-'));
  wheel = await buildWheel({ out: join(work, 'dist') });
  const venv = join(work, 'venv');
  const fetching = { env: { ...process.env, UV_SYSTEM_CERTS: 'true', UV_NATIVE_TLS: 'true' } };
  await run(UV, ['venv', '--quiet', '--python', pythonOf(VENV), venv], fetching);
  await run(UV, ['pip', 'install', '--quiet', '--python', pythonOf(venv), wheel.path], fetching);
  mkdirSync(join(work, 'home'));
  env = {
    PATH: dirname(pythonOf(venv)),
    HOME: join(work, 'home'),
    INGOT_CACHE: join(work, 'cache'),
    INGOT_REGISTRY: join(work, 'store'),
  };
}, 180_000);
afterAll(() => rmSync(work, { recursive: true, force: true }));

const installed = (name, ...args) => run(join(env.PATH, name), args, { env, cwd: work });

describe('the wheel, where no Node.js is on PATH', () => {
  test('is small, for every platform, and the same each time', async () => {
    expect(wheel.path).toMatch(/-py3-none-any\.whl$/);
    expect(wheel.sizeBytes).toBeLessThan(3_000_000);
    const again = await buildWheel({ out: join(work, 'again') });
    expect(readFileSync(again.path).equals(readFileSync(wheel.path))).toBe(true);
  });

  test('brings the licences of what the engine contains', async () => {
    const code = "import importlib.metadata as m; print(next(f for f in m.files('ingot') if f.name == 'THIRD-PARTY-LICENSES').read_text())";
    const { stdout } = await run(join(env.PATH, 'python'), ['-c', code], { env, cwd: work, maxBuffer: 10_000_000 });
    const named = [...stdout.matchAll(/^-{80}\n(\S+) \d\S* {2}(\S.*)$/gm)].map(([, name]) => name);
    expect(named).toEqual([...named].sort());
    expect(named.length).toBeGreaterThan(10);
    for (const name of Object.keys(JSON.parse(readFileSync(inRoot('packages/cli/package.json'), 'utf8')).dependencies ?? {})) expect(named).toContain(name);
    expect(stdout).toContain('Permission is hereby granted, free of charge');
  });

  test('brings a command and a module of the same version', async () => {
    expect((await installed('ingot', '--version')).stdout.trim()).toBe(version);
    expect((await installed('python', '-m', 'ingot', '--version')).stdout.trim()).toBe(version);
    expect((await installed('python', '-c', 'import ingot; print(ingot.__version__)')).stdout.trim()).toBe(version);
  });

  test('the command starts the engine without importing the SDK', async () => {
    const code = 'import ingot_command, sys; ingot_command.find_node({}); print("ingot" in sys.modules, "json" in sys.modules)';
    expect((await installed('python', '-c', code)).stdout.trim()).toBe('False False');
  });

  test('takes a model from Python to an answering server', async () => {
    writeFileSync(join(work, 'three.py'), THREE_LINES);
    expect((await installed('python', 'three.py')).stdout.trim()).toBe('42');
    const server = spawn(join(env.PATH, 'ingot'), ['serve', 'double@production', '--port', '0', '--json'], { env, cwd: work, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const line = await new Promise((resolve, reject) => {
        createInterface({ input: server.stdout }).once('line', resolve);
        server.once('exit', (code) => reject(new Error(`ingot serve ended with ${code}`)));
      });
      const answer = await fetch(`${JSON.parse(line).url}/predict/double`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '[{"x": 4}]' });
      expect(await answer.json()).toMatchObject({ predictions: [8], version: '1' });
    } finally {
      server.removeAllListeners('exit');
      server.kill('SIGTERM');
      await new Promise((resolve) => server.once('close', resolve));
    }
  });

  test('an engine of another version is refused with both numbers', async () => {
    const other = join(work, 'other');
    mkdirSync(join(other, 'bin'), { recursive: true });
    writeFileSync(join(other, 'package.json'), '{"version": "9.8.7"}');
    writeFileSync(join(other, 'bin/ingot.js'), '');
    const skewed = run(join(env.PATH, 'python'), ['-c', 'import ingot; ingot.models()'], { env: { ...env, INGOT_ENGINE: other }, cwd: work });
    await expect(skewed).rejects.toMatchObject({ stderr: expect.stringMatching(new RegExp(`ingot is version ${version.replaceAll('.', '\\.')}, and the engine .* is version 9\\.8\\.7`)) });
  });
});
