/** Runs `ingot` for the demo: the real command line, with a store and a cache of its own and no settings from outside. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { delimiter, dirname } from 'node:path';
import { CLI_ENTRY, inRoot, ROOT } from '../lib/paths.mjs';
import { run, tail } from '../lib/run.mjs';

export const HOME = inRoot('.demo');
export const STORE = inRoot('.demo/store');

/** The environment of everything that the demo starts. `python` goes first on PATH, as if its environment were activated. */
export function demoEnvironment(python, env = process.env) {
  const kept = Object.entries(env).filter(([name]) => !/^(INGOT_|PYTHON|CONDA_|VIRTUAL_ENV$|FORCE_COLOR$)/.test(name));
  const own = { INGOT_REGISTRY: STORE, INGOT_CACHE: inRoot('.demo/cache') };
  const active = python ? { PATH: `${dirname(python)}${delimiter}${env.PATH ?? ''}`, VIRTUAL_ENV: dirname(dirname(python)) } : {};
  return { ...Object.fromEntries(kept), ...own, ...active };
}

/** Runs one command to its end and gives its `--json` document. */
export async function ingot(env, ...args) {
  const { stdout } = await run(process.execPath, [CLI_ENTRY, ...args, '--json'], { env, label: `ingot ${args[0]}` });
  return JSON.parse(stdout);
}

/** Runs one command to its end and gives what a person would see. */
export async function ingotText(env, ...args) {
  const { stdout } = await run(process.execPath, [CLI_ENTRY, ...args], { env, label: `ingot ${args[0]}` });
  return stdout.trimEnd();
}

/** A port that is free now, on loopback. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Starts `ingot serve` and waits until every model answers. */
export async function serve(env, sources) {
  const port = await freePort();
  const args = [CLI_ENTRY, 'serve', ...sources, '--port', String(port), '--env', 'current'];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  };
  try {
    await untilReady(url, ended, () => output);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop, ended };
}

async function untilReady(url, ended, output) {
  const deadline = Date.now() + 60_000;
  let over = false;
  ended.then(() => { over = true; });
  while (Date.now() < deadline) {
    if (over) throw new Error(`ingot serve ended before it was ready${tail(output())}`);
    const ready = await fetch(`${url}/v2/health/ready`).then((reply) => reply.ok, () => false); // Not listening yet.
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`ingot serve was not ready within a minute${tail(output())}`);
}
