/** Runs the real `ingot` in a world of its own, on a disk that fails, with a limit, or under a tracer. */

import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { worldOf } from '../world.ts';

const FAULTY_DISK = fileURLToPath(new URL('../cli/faulty-disk.mjs', import.meta.url));
const LONGEST_MS = 120_000;

let frozen: string | undefined;

/** The binary, in a copy of its own for this process: a build meanwhile does not change it under a trial. */
export function frozenBinary(): string {
  if (frozen !== undefined) return frozen;
  const home = mkdtempSync(join(tmpdir(), 'ingot-program-'));
  const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
  for (const part of ['package.json', 'bin', 'dist'])
    cpSync(inRepository(`packages/cli/${part}`), join(home, part), { recursive: true });
  symlinkSync(inRepository('node_modules'), join(home, 'node_modules'));
  process.once('exit', () => rmSync(home, { recursive: true, force: true }));
  frozen = join(home, 'bin/ingot.js');
  return frozen;
}

/** What a command gave. */
export interface Finished {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A fault of the disk, as conformance/cli/faulty-disk.mjs makes it. */
export interface DiskFault {
  /** `kill`, `short`, or the name of a system error. */
  readonly fault: string;
  /** Which of the steps that change the file system meets it, from 1. */
  readonly at: number;
  /** Whether all steps after it meet it too. Default: false. */
  readonly lasting?: boolean;
  /** File that gets a line for every step. */
  readonly log?: string;
}

/** Options of {@link runIngot}. */
export interface CommandOptions {
  /** Directory with `store`, `cache` and `home` in it. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly disk?: DiskFault;
  /** Ends the process as `kill -9` does after so many milliseconds. */
  readonly killAfterMs?: number;
  /** Words before `node`: a tracer, a shell that sets limits. */
  readonly under?: readonly string[];
  /** Words after `node`. */
  readonly nodeFlags?: readonly string[];
}

/** Runs a command line to its end. */
export function runIngot(words: readonly string[], options: CommandOptions): Promise<Finished> {
  const { cwd, disk } = options;
  const env = { ...worldOf(cwd), ...(disk === undefined ? {} : diskVariables(cwd, disk)), ...options.env };
  const preload = disk === undefined ? [] : ['--import', FAULTY_DISK];
  const node = [process.execPath, ...preload, ...(options.nodeFlags ?? []), frozenBinary(), ...words];
  const [program = '', ...args] = [...(options.under ?? []), ...node];
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), options.killAfterMs ?? LONGEST_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(killer);
      resolve({ status, signal, stdout, stderr });
    });
  });
}

function diskVariables(cwd: string, { fault, at, lasting, log }: DiskFault): Record<string, string> {
  return {
    FAULT: fault,
    FAULT_AT: String(at),
    FAULT_UNDER: cwd,
    ...(lasting === true ? { FAULT_LASTS: '1' } : {}),
    ...(log === undefined ? {} : { FAULT_LOG: log }),
  };
}

/** A directory that is gone when disposed. */
export interface WorkDirectory extends Disposable {
  readonly path: string;
}

/** Makes an empty directory for a world. */
export function workDirectory(): WorkDirectory {
  const path = mkdtempSync(join(tmpdir(), 'ingot-trial-'));
  mkdirSync(join(path, 'home'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The code and the text of the one error that a command with `--json` ends with; empty when there is none. */
export function errorOf({ stderr }: Finished): { readonly code: string; readonly message: string } {
  try {
    // Warnings may come before.
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '');
    return { code: String(error.code), message: String(error.message) };
  } catch {
    return { code: '', message: stderr }; // Not an error that Ingot told.
  }
}
