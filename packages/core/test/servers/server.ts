/** Real servers for tests: started on a free loopback port in a temporary directory, ended by their process id. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that runs: how a store on it is addressed, and which variables a client needs. */
export interface TestServer {
  /** A storage address for `openBlobStore`, naming a bucket (or folder) that exists and is empty. */
  readonly address: string;
  /** The variables that a client needs: endpoint, credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** Ends it and removes its files. */
  close(): Promise<void>;
}

/** What {@link startProcess} starts. */
export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Replaces the environment; default: this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Says whether it answers; a rejection means not yet. */
  readonly isReady: () => Promise<boolean>;
  /** How long it may take to answer. Default: 60 seconds. */
  readonly timeoutMs?: number;
  /** Whether it becomes the leader of its own process group, for programs that signal their group. Default: false. */
  readonly ownSession?: boolean;
  /** As whom it runs, for programs that refuse root. Default: as this process. */
  readonly uid?: number | undefined;
}

/** A process that answers. */
export interface RunningProcess {
  readonly pid: number;
  /** What it printed so far. */
  output(): string;
  /** Ends it: SIGTERM, and SIGKILL three seconds later. */
  stop(): Promise<void>;
}

/** Finds a port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the port of a TCP server is a number');
  return address.port;
}

/**
 * Starts a process and waits until it answers; one that ends before is an error with what it printed.
 *
 * @example
 * const running = await startProcess({ command: binary, args: ['--port', String(port)], isReady: () => answers(`http://127.0.0.1:${port}`) });
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const child = spawn(options.command, [...options.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.ownSession === true,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const printed = tailOf(child);
  let startError: Error | undefined;
  child.once('error', (error) => {
    startError = error;
  });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const stop = async () => {
    process.off('exit', killAtExit);
    await end(child);
  };
  const deadline = Date.now() + (options.timeoutMs ?? 60_000);
  while (!(await options.isReady().catch(() => false))) {
    const ended =
      startError ?? (hasEnded(child) ? new Error(`it ended with ${child.exitCode ?? child.signalCode}`) : undefined);
    if (ended === undefined && Date.now() < deadline) {
      await sleep(25);
      continue;
    }
    await stop();
    throw new Error(`${options.command} does not answer: ${ended?.message ?? 'no answer in time'}\n${printed()}`);
  }
  return { pid: child.pid ?? 0, output: printed, stop };
}

/** Says whether an HTTP server answers anything at all under `url`. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5000) });
  await response.body?.cancel();
  return true;
}

function tailOf(child: ChildProcess): () => string {
  let text = '';
  const add = (data: Buffer) => {
    text = `${text}${data}`.slice(-16_384);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text;
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await gone;
  clearTimeout(killer);
}
