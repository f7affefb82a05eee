/** Commands to be disturbed, each with the world it runs in, prepared once and copied for every try. */

import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { randomOf } from '@ingot/core/seeded-random';
import { type Finished, runIngot, type WorkDirectory, workDirectory } from './command.ts';
import { judge, type Ledger, NOTHING, observe } from './judge.ts';
import { collect, mirror, Person, removeVersion, setAlias, type Work } from './work.ts';

/** A command, and the world before it. */
export interface Prepared extends Disposable {
  readonly label: string;
  readonly work: Work;
  /** What the store has before the command, and what it is to have behind it. */
  readonly before: Ledger;
  readonly after: Ledger;
  /** Gives a copy of the world. */
  copy(): WorkDirectory;
}

type Scene = (person: Person) => { readonly label: string; readonly past: readonly Work[]; readonly work: Work };

/** What is done before, and then the command itself. */
const SCENES: readonly Scene[] = [
  (person) => ({ label: 'a first push', past: [], work: person.push('a', { alias: 'production' }) }),
  (person) => ({ label: 'another push', past: [person.push('a')], work: person.push('a', { alias: 'production' }) }),
  (person) => ({
    label: 'alias set',
    past: [person.push('a'), person.push('a')],
    work: setAlias('a', 'production', 1),
  }),
  (person) => ({ label: 'rm', past: [person.push('a'), person.push('a')], work: removeVersion('a', 1) }),
  (person) => ({
    label: 'gc that rewrites a pack',
    past: [person.push('a'), person.push('a'), person.push('b', { bytes: 9000 }), removeVersion('a', 1)],
    work: collect(),
  }),
  (person) => ({ label: 'a first mirror', past: [person.push('a'), person.push('a')], work: mirror() }),
  (person) => ({
    label: 'mirror of what is new',
    past: [person.push('a'), mirror(), person.push('a')],
    work: mirror(),
  }),
];

/** Prepares all commands. */
export async function prepareAll(seed: number): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const scene of SCENES) prepared.push(await prepare(scene, seed));
  return prepared;
}

async function prepare(scene: Scene, seed: number): Promise<Prepared> {
  const directory = workDirectory();
  const person = new Person(directory.path, randomOf(seed));
  const { label, past, work } = scene(person);
  let before: Ledger = NOTHING;
  for (const step of past) {
    const { status, stderr } = await runIngot(step.words, { cwd: directory.path });
    if (status !== 0) throw new Error(`preparing ${label}: ${step.words.join(' ')}: ${stderr}`);
    before = await observe(createLocalBlobStore(join(directory.path, 'store')));
    person.see(before);
  }
  return {
    label,
    work,
    before,
    after: work.after(before),
    copy: () => {
      const copy = workDirectory();
      cpSync(directory.path, copy.path, { recursive: true });
      return copy;
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

/** What became of a world in which a command was disturbed. */
export interface Aftermath {
  /** The disturbed command. */
  readonly finished: Finished;
  /** The same command once more, undisturbed. */
  readonly again: Finished;
  readonly failures: readonly string[];
}

/** Options of {@link disturb}. */
export interface DisturbOptions {
  /** Is shown the world between the disturbed command and the next; gives what is wrong with it. */
  readonly look?: (cwd: string, finished: Finished) => readonly string[];
  /** Whether the same command has to succeed then. Default: true. */
  readonly repeat?: boolean;
}

/** Runs a prepared command in a copy of its world while something goes wrong, judges what is left, and runs it again. */
export async function disturb(
  prepared: Prepared,
  run: (words: readonly string[], cwd: string) => Promise<Finished>,
  options: DisturbOptions = {},
): Promise<Aftermath> {
  const { work, before, after } = prepared;
  using directory = prepared.copy();
  const cwd = directory.path;
  const words = [...work.words, '--json'];
  const finished = await run(words, cwd);
  const acknowledged = finished.status === 0;
  const failures = [...(options.look?.(cwd, finished) ?? [])];
  const first = await judgeWorld(cwd, { before, after, acknowledged });
  failures.push(...first);
  const again = await runIngot(words, { cwd });
  // What was killed may have done its work: then there is nothing to remove any more.
  const wasDone = again.status === 3 && work.kind === 'delete';
  if (again.status !== 0 && !wasDone) failures.push(`again: ${again.stderr}`);
  else
    failures.push(
      ...(await judgeWorld(cwd, { before: after, after, acknowledged: true })).map((text) => `again: ${text}`),
    );
  return { finished, again, failures };
}

/** Judges the store of a world, and its mirror. */
export async function judgeWorld(cwd: string, expected: Parameters<typeof judge>[1]): Promise<readonly string[]> {
  const { failures } = await judge(createLocalBlobStore(join(cwd, 'store')), expected);
  const standby = join(cwd, 'standby');
  if (!existsSync(standby)) return failures;
  const mirrored = await observe(createLocalBlobStore(standby));
  return [...failures, ...mirrored.failures.map((failure) => `mirror: ${failure}`)];
}
