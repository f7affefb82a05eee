/**
 * A line between two network namespaces, one for a server and one for its clients: nothing else is on it, so that what
 * goes over it can be counted, and it can be given a delay. Needs root, `ip` and `nsenter`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { inRoot, pythonOf, VENV } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';

const DEVICES = { server: 'bench-server', client: 'bench-client' };
/** Where a server on the line listens. */
export const SERVER_HOST = '10.77.0.1';
const CLIENT_HOST = '10.77.0.2';

/** Makes the line; half of `delayMs` is lost each way. Gives how to run commands at its ends, its traffic as the client sees it, and how to end it. */
export async function startLink({ delayMs = 0 } = {}) {
  const started = [];
  const stop = async () => {
    for (const child of started.reverse()) await end(child);
  };
  try {
    const [server, client] = [await holdNamespace(started), await holdNamespace(started)];
    const how = await join(server, client, delayMs / 2, started);
    for (const [pid, device, host] of [[server, DEVICES.server, SERVER_HOST], [client, DEVICES.client, CLIENT_HOST]]) {
      const ip = (...args) => run('nsenter', [...at(pid), 'ip', ...args], { label: 'ip' });
      await ip('link', 'set', 'lo', 'up');
      await ip('addr', 'add', `${host}/30`, 'dev', device);
      await ip('link', 'set', device, 'up');
    }
    return { how, serverPid: server, onServer: entering(server), onClient: entering(client), traffic: () => trafficOf(client), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const at = (pid) => ['--net', '--target', String(pid)];
const entering = (pid) => ({ command, args, ...rest }) => ({ ...rest, command: 'nsenter', args: [...at(pid), command, ...args] });

async function holdNamespace(started) {
  const child = start('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 1000000'], started);
  await saysReady(child);
  return child.pid;
}

/** netem where the kernel has it, else a program between two devices. */
async function join(server, client, delayMs, started) {
  if (delayMs === 0) {
    await pair(server, client);
    return 'a pair of network devices';
  }
  if (await hasNetem(server, client, delayMs)) return 'a pair of network devices with netem';
  const script = [inRoot('bench/lib/delayed_link.py'), String(delayMs), DEVICES.server, String(server), DEVICES.client, String(client)];
  await saysReady(start(pythonOf(VENV), script, started));
  return 'two network devices and a program between them that holds packets back, as this kernel has no netem';
}

const pair = (server, client) =>
  run('ip', ['link', 'add', DEVICES.server, 'netns', String(server), 'type', 'veth', 'peer', 'name', DEVICES.client, 'netns', String(client)], { label: 'ip link add' });

async function hasNetem(server, client, delayMs) {
  await pair(server, client);
  for (const [pid, device] of [[server, DEVICES.server], [client, DEVICES.client]]) {
    const netem = ['tc', 'qdisc', 'add', 'dev', device, 'root', 'netem', 'delay', `${delayMs}ms`, 'limit', '1000000'];
    if ((await run('nsenter', [...at(pid), ...netem], { check: false })).code === 0) continue;
    await run('nsenter', [...at(server), 'ip', 'link', 'del', DEVICES.server], { label: 'ip link del' });
    return false;
  }
  return true;
}

function start(command, args, started) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  child.once('close', () => process.off('exit', killAtExit));
  started.push(child);
  return child;
}

async function saysReady(child) {
  const failed = once(child, 'close').then(([code]) => {
    throw new Error(`${child.spawnargs.slice(0, 2).join(' ')} ended with ${code}`);
  });
  await Promise.race([once(child.stdout, 'data'), failed]);
  failed.catch(() => undefined); // Ends later, with the line.
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'close');
  child.kill('SIGTERM');
  await gone;
}

function trafficOf(pid) {
  const line = readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n').find((text) => text.includes(DEVICES.client));
  const numbers = line.split(':')[1].trim().split(/\s+/).map(Number);
  return { receivedBytes: numbers[0], sentBytes: numbers[8] };
}
