/** `kill -9` at every system call of a command that changes a file, one after the other. */

import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { randomOf } from '@ingot/core/seeded-random';
import { type CommandOptions, runIngot } from './command.ts';
import { disturb, type Prepared, prepareAll } from './prepared.ts';
import { ONE_THREAD, openStrace, pointsOf, type Strace } from './strace.ts';
import { countOf, eachOf, type Outcome, sampled, type Trial, type TrialOptions } from './trial.ts';

/** A moment to be killed at, and how. */
interface Moment {
  readonly label: string;
  readonly kind: string;
  readonly how: Omit<CommandOptions, 'cwd'>;
}

const AT_ONCE = 2;
/** So many moments of each command in the short form. */
const SAMPLE = 3;

/** Every call in the full form, a few of each command in the short one. */
export const killCalls: Trial = {
  name: 'kill-calls',
  about: 'kill -9 at every write, fsync, rename, link, unlink, mkdir and rmdir of push, alias, delete, gc and mirror',
  async run(options: TrialOptions): Promise<Outcome> {
    const { seed, full, say } = options;
    const skipped: string[] = [];
    const strace = await openStrace().catch((error: Error) => {
      if (process.env.CI === 'true') throw error;
      skipped.push(
        `kills by strace, which cannot be had here (${error.message.split('\n')[0]}): steps of Node's in its place`,
      );
      return undefined;
    });
    const killed: string[] = [];
    const failures: string[] = [];
    let passed = 0;
    for (const prepared of await prepareAll(seed)) {
      using _ = prepared;
      const all = strace === undefined ? await steps(prepared) : await calls(prepared, strace);
      const moments = full ? all : sampled(all, SAMPLE, randomOf(seed));
      await eachOf(moments, AT_ONCE, async ({ label, kind, how }) => {
        const aftermath = await disturb(prepared, (words, cwd) => runIngot(words, { cwd, ...how }));
        if (aftermath.finished.status === 0) passed += 1;
        else killed.push(kind);
        failures.push(...aftermath.failures.map((failure) => `${prepared.label}, ${label}: ${failure}`));
      });
      say(`${prepared.label}: ${moments.length} of ${all.length} moments`);
    }
    const figures = {
      kills: killed.length,
      ...countOf(killed.map((kind) => `at ${kind}`)),
      'had ended before': passed,
    };
    return { figures, failures, skipped };
  },
};

async function calls(prepared: Prepared, strace: Strace): Promise<Moment[]> {
  using directory = prepared.copy();
  const log = join(directory.path, 'home', 'calls');
  const finished = await runIngot(prepared.work.words, {
    cwd: directory.path,
    env: ONE_THREAD,
    under: strace.recording(log),
  });
  if (finished.status !== 0) throw new Error(`${prepared.label} under strace: ${finished.stderr}`);
  return pointsOf(log, directory.path).map((point) => ({
    label: `killed at ${point.call} ${point.at}`,
    kind: point.kind,
    // Killed, strace ends itself in the same way.
    how: { env: ONE_THREAD, under: strace.killing(point) },
  }));
}

async function steps(prepared: Prepared): Promise<Moment[]> {
  using directory = prepared.copy();
  const log = join(directory.path, 'home', 'steps');
  await runIngot(prepared.work.words, { cwd: directory.path, disk: { fault: 'kill', at: 1_000_000, log } });
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  return lines.map((line, index) => {
    const kind = line.split(' ')[0] ?? '';
    return { label: `killed at step ${index + 1} (${line})`, kind, how: { disk: { fault: 'kill', at: index + 1 } } };
  });
}
