/** Servers that contenders need while they are measured: started once they listen, ended by their process id. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { tail } from '../../scripts/lib/run.mjs';

const LISTENING = '0A';

/**
 * Starts a program and waits until it listens on `port` of the loopback, or in the network namespace of the process
 * `netOf`. Gives its process id, how to end it with all that it started, and the end of what it has printed.
 */
export async function startService({ command, args, env = process.env, cwd, port, netOf, withinMs = 120_000 }) {
  const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let printed = '';
  let failure;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { printed = (printed + data).slice(-20_000); });
  child.once('error', (error) => { failure = error.message; });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const killAtExit = () => signalGroup(child.pid, 'SIGKILL');
  process.once('exit', killAtExit);
  const stop = async () => {
    process.off('exit', killAtExit);
    if (child.pid === undefined) return;
    signalGroup(child.pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
    signalGroup(child.pid, 'SIGKILL');
  };
  const deadline = Date.now() + withinMs;
  while (!(await isListening(port, netOf))) {
    if (child.exitCode !== null) failure ??= `it ended with ${child.exitCode}`;
    if (failure === undefined && Date.now() < deadline) {
      await sleep(50);
      continue;
    }
    await stop();
    throw new Error(`${command} does not listen: ${failure ?? 'not in time'}${tail(printed)}`);
  }
  return { pid: child.pid, stop, printed: () => tail(printed) };
}

async function isListening(port, netOf) {
  if (netOf !== undefined) return isListed(port, netOf);
  const socket = connect(port, '127.0.0.1');
  const answered = await new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return answered;
}

function isListed(port, pid) {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6'].some((table) => {
    const lines = readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').map((line) => line.trim().split(/\s+/));
    return lines.some(([, local, , state]) => state === LISTENING && local.endsWith(wanted));
  });
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // All of it has ended.
  }
}
