import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import type { Finished } from './run-case.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

const FAULTY_DISK = fileURLToPath(new URL('./faulty-disk.mjs', import.meta.url));
/** More steps than any of these commands has. */
const ENDLESS = 120;
/** Every fifth step: each kind of step is met, in seconds. */
const STRIDE = 5;
const AT_ONCE = 4;

const FILES = {
  'one/model.bin': 'first',
  'one/notes.txt': 'about the first',
  'two/model.bin': 'second',
};

beforeAll(buildOnce);

interface Fault {
  /** `kill`, or the name of a system error. */
  readonly fault: string;
  /** Which of the steps that change the file system meets it, from 1. */
  readonly at: number;
}

/** Runs a command on a disk that fails once. */
function runOnFaultyDisk(cwd: string, words: readonly string[], { fault, at }: Fault): Promise<Finished> {
  const env = { ...worldOf(cwd), FAULT: fault, FAULT_AT: String(at), FAULT_UNDER: cwd };
  const child = spawn(process.execPath, ['--import', FAULTY_DISK, BINARY, ...words], { cwd, env, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
}

/**
 * Tries a command with a fault at every `stride`th step, each time in a copy of the same directory; gives how many there were.
 * `check` sees the directory after the failure; then the same command has to succeed.
 */
async function sweep(
  before: readonly (readonly string[])[],
  command: readonly string[],
  fault: string,
  check: (cwd: string, failed: Finished, label: string) => Promise<void>,
  stride = STRIDE,
): Promise<number> {
  using prepared = workDirectory(FILES);
  for (const words of before) expect((await runIngot(words, { cwd: prepared.path })).status).toBe(0);
  let failures = 0;
  let next = 1;
  const work = async (): Promise<void> => {
    for (let at = next; at < ENDLESS; at = next) {
      next += stride;
      using directory = workDirectory();
      cpSync(prepared.path, directory.path, { recursive: true });
      const failed = await runOnFaultyDisk(directory.path, command, { fault, at });
      const label = `${command.join(' ')}, ${fault} at step ${at}: ${failed.stderr}`;
      if (failed.status === 0) {
        // Where a fault is tolerated later ones are still to be tried; past the last step there are none.
        if (fault === 'kill') next = ENDLESS;
        continue;
      }
      failures += 1;
      await check(directory.path, failed, label);
      const again = await runIngot(command, { cwd: directory.path });
      expect(again.status, `${label}\nagain: ${again.stderr}`).toBe(0);
      await checkWhole(directory.path, label);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return failures;
}

/** Every version that is listed can be pulled, with the bytes that were pushed; every alias names one of them. */
async function checkWhole(cwd: string, label: string): Promise<void> {
  const listed = await runIngot(['ls', 'm', '--json'], { cwd });
  if (listed.status === 3) return;
  expect(listed.status, `${label}\nls: ${listed.stderr}`).toBe(0);
  const { model } = JSON.parse(listed.stdout);
  const numbers: number[] = model.all.map(({ number }: { number: number }) => number);
  for (const version of numbers) {
    const output = `out-${version}`;
    const pulled = await runIngot(['pull', `m:${version}`, '-o', output], { cwd });
    expect(pulled.status, `${label}\npull: ${pulled.stderr}`).toBe(0);
    const source = join(cwd, version === 1 ? 'one' : 'two');
    for (const name of readdirSync(source))
      expect(readFileSync(join(cwd, output, name)), label).toEqual(readFileSync(join(source, name)));
  }
  for (const number of Object.values(model.aliases)) expect(numbers, label).toContain(number);
}

const FIRST = ['push', 'one', '--name', 'm', '--alias', 'production'];
const SECOND = ['push', 'two', '--name', 'm', '--alias', 'production'];

describe('kill -9 at any step leaves a whole store, and the same command then succeeds, of', () => {
  it.each([
    ['a first push', [], FIRST],
    ['another push', [FIRST], SECOND],
    ['promote', [FIRST, SECOND], ['promote', 'm:1']],
    ['pull --cached', [FIRST], ['pull', 'm', '--cached']],
  ])('%s', async (_, before, command) => {
    const failures = await sweep(before, command, 'kill', async (cwd, _failed, label) => checkWhole(cwd, label));
    expect(failures).toBeGreaterThan(2);
  });
});

describe('a disk that is full at any step', () => {
  it.each([
    ['push', [], FIRST, STRIDE],
    ['pull --cached', [FIRST], ['pull', 'm', '--cached'], 3],
  ])(
    'ends %s with 7, one JSON error that names a path, and nothing half-written',
    async (_, before, command, stride) => {
      const check = async (cwd: string, { status, stderr }: Finished, label: string) => {
        expect(status, label).toBe(7);
        const { error } = JSON.parse(stderr);
        expect(error, label).toMatchObject({ code: 'disk-full', message: expect.stringContaining(cwd) });
        const temporary = join(cwd, 'store/.tmp');
        expect(existsSync(temporary) ? readdirSync(temporary) : [], label).toEqual([]);
        const packages = join(cwd, 'cache/packages');
        expect(existsSync(packages) ? readdirSync(packages) : [], label).not.toContainEqual(
          expect.stringMatching(/^\./),
        );
      };
      const failures = await sweep(before, [...command, '--json'], 'ENOSPC', check, stride);
      expect(failures).toBeGreaterThan(2);
    },
  );
});
