/** Starts a server to be measured, and stops it. */
import { spawn } from 'node:child_process';
import { freePort } from '../../scripts/demo/engine.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run, tail } from '../../scripts/lib/run.mjs';
import { usageOf } from './processes.mjs';

/**
 * Starts what `command(port)` gives (`{program, args, env, cwd, path}`) and asks it until the first good answer.
 * Gives its address, the seconds to that answer, and how to stop it.
 */
export async function startServer(command, body, { withinMs = 120_000 } = {}) {
  const port = await freePort();
  const { program, args, env, cwd, path } = command(port);
  const started = performance.now();
  // A group of its own, so that a server's own children end with it.
  const child = spawn(program, args, { cwd: cwd ?? inRoot(), env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output = (output + data).slice(-20_000); });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const stop = async () => {
    signalGroup(child.pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
    signalGroup(child.pid, 'SIGKILL');
  };
  const url = `http://127.0.0.1:${port}${path}`;
  try {
    await firstAnswer(url, body, child, withinMs, () => output);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop, pid: child.pid, secondsToFirst: (performance.now() - started) / 1000, usage: () => usageOf(child.pid) };
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // All of it has ended.
  }
}

async function firstAnswer(url, body, child, withinMs, output) {
  const deadline = Date.now() + withinMs;
  let last = 'nothing listened';
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.slice(0, 3).join(' ')} ended early${tail(output())}`);
    try {
      const reply = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      if (reply.ok) return void (await reply.arrayBuffer());
      last = `${reply.status} ${(await reply.text()).slice(0, 500)}`;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`no good answer from ${url}; the last was ${last}${tail(output())}`);
}

/** Puts load on a server; `warm` seconds before are not counted. Adds processor milliseconds a request where known. */
export async function load(server, { connections, body, seconds, warm = 1, contentType = 'application/json' }) {
  const shoot = async (duration) => {
    const input = JSON.stringify({ url: server.url, connections, seconds: duration, body, contentType });
    return JSON.parse((await run(process.execPath, [inRoot('bench/lib/cannon.mjs')], { input, label: 'load generator' })).stdout);
  };
  if (warm > 0) await shoot(warm);
  const before = server.usage();
  const result = await shoot(seconds);
  const after = server.usage();
  const cpuMs = before && after ? ((after.cpu - before.cpu) * 1000) / (result.perSecond * seconds) : undefined;
  return { ...result, cpuMs, memoryBytes: after?.memoryBytes };
}
