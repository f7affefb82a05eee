/**
 * Cases of the command line are data: files of a working directory, then steps. A step is one command line with the
 * exit status, the output and the JSON that it must give.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { worldOf } from '../world.ts';
import { up } from './up.ts';

/** One command line and what it must give. Texts between slashes are regular expressions. */
export interface Step {
  /** The words after `ingot`; quotes group words. */
  readonly run: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Files written (text) or removed (null) before the command. */
  readonly files?: Readonly<Record<string, string | null>>;
  /** Default: 0. */
  readonly exit?: number;
  readonly stdout?: string;
  readonly stderr?: string;
  /** Values of the document on stdout by dotted path. */
  readonly json?: Readonly<Record<string, unknown>>;
  /** Exactly the keys of the document on stdout. */
  readonly keys?: readonly string[];
  /** Values of the error document on stderr by dotted path. */
  readonly error?: Readonly<Record<string, unknown>>;
}

/** A named list of steps in one directory with a store and a cache of its own. */
export interface Case {
  readonly name: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Whether the registry is a server over the store of the directory; `{url}` in a command is its address. Default: no. */
  readonly server?: boolean;
  readonly steps: readonly Step[];
}

/** What a process gave. */
export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The binary as npm links it. */
export const BINARY = fileURLToPath(new URL('../../packages/cli/bin/ingot.js', import.meta.url));

/** Runs a command line to its end. */
export function runIngot(
  words: readonly string[],
  options: { cwd: string; env?: Step['env']; stdin?: string },
): Promise<Finished> {
  const env = { ...worldOf(options.cwd), ...options.env };
  const child = spawn(process.execPath, [BINARY, ...words], { cwd: options.cwd, env, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  child.stdin.on('error', () => {}); // A command that reads nothing may end first.
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Makes a directory for a case, gone when disposed. */
export function workDirectory(files: Case['files'] = {}): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'ingot-cli-'));
  mkdirSync(join(path, 'home'));
  place(path, files);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function place(directory: string, files: NonNullable<Step['files']>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    if (text === null) {
      rmSync(path, { recursive: true, force: true });
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Runs all steps of a case and checks each. */
export async function runCase({ files, server, steps }: Case): Promise<void> {
  using directory = workDirectory(files);
  if (server !== true) return await runSteps(steps, directory.path, undefined);
  await using running = await up(directory.path);
  await runSteps(steps, directory.path, running.said.url);
}

async function runSteps(steps: readonly Step[], cwd: string, url: string | undefined): Promise<void> {
  for (const step of steps) {
    place(cwd, step.files ?? {});
    const env = { ...(url !== undefined && { INGOT_REGISTRY: url }), ...step.env };
    const words = splitWords(step.run).map((word) => word.replace('{url}', url ?? '{url}'));
    checkStep(step, await runIngot(words, { cwd, ...step, env }));
  }
}

function checkStep(step: Step, { status, stdout, stderr }: Finished): void {
  const said = `ingot ${step.run}\nstdout: ${stdout}\nstderr: ${stderr}`;
  expect(status, said).toBe(step.exit ?? 0);
  expect(stderr, said).not.toMatch(/^ {4}at /m);
  if (step.stdout !== undefined) expectText(stdout, step.stdout, said);
  if (step.stderr !== undefined) expectText(stderr, step.stderr, said);
  if (step.json !== undefined || step.keys !== undefined) {
    const document: unknown = JSON.parse(stdout);
    if (step.keys !== undefined) expect(Object.keys(Object(document)).sort(), said).toEqual([...step.keys].sort());
    expectValues(document, step.json ?? {}, said);
  }
  if (step.error !== undefined) expectValues(Object(JSON.parse(stderr)).error, step.error, said);
}

function expectValues(document: unknown, values: Readonly<Record<string, unknown>>, said: string): void {
  for (const [path, wanted] of Object.entries(values)) {
    const value = path.split('.').reduce<unknown>((at, key) => Object(at)[key], document);
    if (typeof wanted === 'string' && isPattern(wanted)) expectText(String(value), wanted, `${path} of ${said}`);
    else expect(value, `${path} of ${said}`).toEqual(wanted);
  }
}

function expectText(text: string, wanted: string, said: string): void {
  if (isPattern(wanted)) expect(text, said).toMatch(new RegExp(wanted.slice(1, -1), 's'));
  else expect(text, said).toBe(wanted);
}

function isPattern(text: string): boolean {
  return text.length > 1 && text.startsWith('/') && text.endsWith('/');
}

/** Splits a command line at white space outside of double quotes. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}
