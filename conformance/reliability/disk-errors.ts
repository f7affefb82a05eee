/** Disks that fail: an error or a short write at each step, a file system that is really full, and too few open files. */

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { randomOf } from '@ingot/core/seeded-random';
import { errorOf, type Finished, runIngot, workDirectory } from './command.ts';
import { judge, NOTHING } from './judge.ts';
import { disturb, type Prepared, prepareAll } from './prepared.ts';
import { countOf, eachOf, type Outcome, sampled, type Trial, type TrialOptions } from './trial.ts';
import { Person } from './work.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;

/** What the message has to say for the cause to be known. */
const CAUSES: Readonly<Record<string, RegExp>> = {
  EIO: /EIO|input\/output/i,
  ENOSPC: /no space|disk is full|ENOSPC/i,
  EMFILE: /EMFILE|too many open files/i,
};

/** A few steps of each command in the short form, every step in the full one. */
export const diskErrors: Trial = {
  name: 'disk-errors',
  about: 'EIO, ENOSPC, EMFILE and short writes at each step, a full file system, too few open files',
  async run(options: TrialOptions): Promise<Outcome> {
    const tally: Tally = { figures: {}, failures: [], skipped: [] };
    for (const prepared of await prepareAll(options.seed)) {
      using _ = prepared;
      await failEachStep(prepared, options, tally);
      options.say(prepared.label);
    }
    await fillUp(options, tally);
    await runOutOfFiles(options, tally);
    return tally;
  },
};

interface Tally {
  figures: Record<string, number | string>;
  readonly failures: string[];
  readonly skipped: string[];
}

function add(tally: Tally, what: string, many = 1): void {
  tally.figures[what] = Number(tally.figures[what] ?? 0) + many;
}

async function failEachStep(prepared: Prepared, { seed, full }: TrialOptions, tally: Tally): Promise<void> {
  for (const [index, fault] of ['ENOSPC', 'EIO', 'EMFILE', 'short'].entries()) {
    const log = await stepsOf(prepared, fault);
    const all = log.flatMap((line, step) =>
      fault === 'short' && !line.startsWith('write ') ? [] : [{ at: step + 1, line }],
    );
    // By turns a disk that fails once, and one that fails for good.
    const faults = all.map(({ at, line }) => ({ at, line, lasting: (at + index) % 2 === 0 }));
    const chosen = full ? faults : sampled(faults, 1, randomOf(seed + index));
    await eachOf(chosen, 2, async ({ at, line, lasting }) => {
      const label = `${prepared.label}, ${fault} ${lasting ? 'from' : 'at'} step ${at} (${line}) on`;
      const disk = { fault, at, lasting };
      const aftermath = await disturb(prepared, (words, cwd) => runIngot(words, { cwd, disk }));
      const told = verdict(aftermath.finished, fault);
      add(tally, `${fault}: ${told.what}`);
      tally.failures.push(...[...told.failures, ...aftermath.failures].map((failure) => `${label}: ${failure}`));
    });
  }
}

/** The steps of a command, one line each. */
async function stepsOf(prepared: Prepared, fault: string): Promise<string[]> {
  using directory = prepared.copy();
  const log = join(directory.path, 'home', 'steps');
  const disk = { fault, at: 1_000_000, log };
  const { status, stderr } = await runIngot(prepared.work.words, { cwd: directory.path, disk });
  if (status !== 0) throw new Error(`${prepared.label}, undisturbed: ${stderr}`);
  return readFileSync(log, 'utf8').trim().split('\n');
}

/** Whether a command that met an error ended as it should: with 7, the cause, and no trace of code; or well. */
function verdict(finished: Finished, fault: string): { readonly what: string; readonly failures: readonly string[] } {
  if (finished.status === 0) return { what: 'did without', failures: [] };
  const { code, message } = errorOf(finished);
  const failures: string[] = [];
  if (fault === 'short') failures.push(`a short write is no error: ${finished.stderr}`);
  if (finished.status !== 7)
    failures.push(`ended with ${finished.signal ?? finished.status}, not 7: ${finished.stderr}`);
  if (!(CAUSES[fault] ?? /./).test(message)) failures.push(`the cause is not named: [${code}] ${message}`);
  return { what: 'refused with its cause', failures };
}

/** A push into a file system of a few MiB that is then made larger: what stands is not written again. */
async function fillUp({ seed, full }: TrialOptions, tally: Tally): Promise<void> {
  using directory = workDirectory();
  const store = join(directory.path, 'store');
  mkdirSync(store);
  const mount = async (...words: string[]): Promise<void> => void (await run('mount', [...words, store]));
  try {
    await mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs');
  } catch (error) {
    tally.skipped.push(`a file system that is really full: mounting one needs root (${String(error).split('\n')[0]})`);
    return;
  }
  try {
    const person = new Person(directory.path, randomOf(seed));
    const bytes = (full ? 120 : 40) * MIB;
    const work = person.push('a', { bytes });
    const after = work.after(NOTHING);
    let written = 0;
    let refused = 0;
    for (let size = bytes / 4; ; size += bytes / 4) {
      await mount('-o', `remount,size=${Math.round(size)}`);
      const finished = await runIngot([...work.words, '--json'], { cwd: directory.path });
      const acknowledged = finished.status === 0;
      const observed = await judge(createLocalBlobStore(store), { before: NOTHING, after, acknowledged });
      tally.failures.push(...observed.failures.map((failure) => `a full file system of ${size} bytes: ${failure}`));
      if (acknowledged) {
        written = JSON.parse(finished.stdout).bytes.written;
        break;
      }
      refused += 1;
      const { failures } = verdict(finished, 'ENOSPC');
      tally.failures.push(...failures.map((failure) => `a full file system of ${size} bytes: ${failure}`));
      if (size > 3 * bytes) throw new Error(`a push of ${bytes} bytes does not fit into ${size}: ${finished.stderr}`);
    }
    add(tally, 'full tmpfs: pushes that were refused', refused);
    tally.figures['full tmpfs: MiB of the package'] = bytes / MIB;
    tally.figures['full tmpfs: MiB that the last push still wrote'] = Number((written / MIB).toFixed(1));
    if (written > 0.6 * bytes)
      tally.failures.push(`a full file system: the last push wrote ${written} of ${bytes} bytes again`);
  } finally {
    await run('umount', ['-l', store]);
  }
}

/** Real limits on open files, from less than Node itself needs to enough. */
async function runOutOfFiles({ seed, full }: TrialOptions, tally: Tally): Promise<void> {
  const outcomes: string[] = [];
  const limits = Array.from({ length: full ? 40 : 5 }, (_, index) => 16 + index * (full ? 1 : 6));
  const scenes = (await prepareAll(seed)).filter(({ label }, index) => full || index < 1 || label.startsWith('gc'));
  for (const prepared of scenes) {
    using _ = prepared;
    await eachOf(limits, 2, async (limit) => {
      const under = ['sh', '-c', `ulimit -n ${limit}; exec "$0" "$@"`];
      const { finished, failures } = await disturb(prepared, (words, cwd) => runIngot(words, { cwd, under }));
      const ownWords = errorOf(finished).code !== '';
      outcomes.push(finished.status === 0 ? 'done' : ownWords ? 'refused with its cause' : 'Node did not start');
      const label = `${prepared.label} with ${limit} open files`;
      tally.failures.push(...failures.map((failure) => `${label}: ${failure}`));
      if (ownWords)
        tally.failures.push(...verdict(finished, 'EMFILE').failures.map((failure) => `${label}: ${failure}`));
    });
  }
  for (const [what, many] of Object.entries(countOf(outcomes))) add(tally, `open files limited: ${what}`, many);
}
