/**
 * `kill -9` at random moments of whatever people do: each store lives on with what the killed commands left behind, and
 * the command that was killed is begun again, perhaps to be killed again.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { randomOf } from '@ingot/core/seeded-random';
import { type Finished, runIngot, workDirectory } from './command.ts';
import { judge, type Ledger, NOTHING, type Observed, observe } from './judge.ts';
import { countOf, eachOf, type Outcome, type Trial, type TrialOptions } from './trial.ts';
import { Person, type Work } from './work.ts';

/** About how many steps each kind of command has that change the file system. */
const STEPS: Readonly<Record<string, number>> = { push: 75, alias: 30, delete: 32, gc: 60, mirror: 80 };
/** About how long a command takes here, start included. */
const LONGEST_MS = 450;
const KILLS_A_LIFE = 25;

/** 200 random kills, 1,000 in the full form. */
export const kills: Trial = {
  name: 'kills',
  about: 'kill -9 at random moments of push, alias, delete, gc and mirror',
  async run(options: TrialOptions): Promise<Outcome> {
    const wanted = options.full ? 1000 : 200;
    const lives = Array.from({ length: wanted / KILLS_A_LIFE }, (_, index) => new Life(options.seed + index));
    await eachOf(lives, 2, async (life) => {
      await life.live();
      options.say(`${life.killed.length} kills, ${life.completed} commands, seed ${life.seed}`);
    });
    const sum = (count: (life: Life) => number): number => lives.reduce((total, life) => total + count(life), 0);
    return {
      figures: {
        kills: sum(({ killed }) => killed.length),
        ...countOf(lives.flatMap(({ killed }) => killed.map((kind) => `killed: ${kind}`))),
        'commands that were acknowledged': sum(({ completed }) => completed),
        'versions acknowledged': sum(({ versions }) => versions),
        'commands that a killed one had finished already': sum(({ wasDone }) => wasDone),
        'leftovers that gc then deleted': sum(({ leftovers }) => leftovers),
      },
      failures: lives.flatMap(({ failures, seed }) => failures.map((failure) => `seed ${seed}: ${failure}`)),
      skipped: [],
    };
  },
};

/**
 * Whether all that a mirror lacks is of versions that its source has deleted since: such a one comes without contents, and
 * a mirroring that is killed between its publication and its deletion leaves it so. Whoever asks is told that it has not
 * arrived, until the next run.
 */
function isBeforeItsDeletion(failures: readonly string[], source: Ledger): boolean {
  const hurt = failures.flatMap((failure) => /^check: (\S+:\d+) is hurt$/.exec(failure)?.[1] ?? []);
  if (hurt.length === 0 || hurt.some((ref) => source.versions.has(ref))) return false;
  return failures.every(
    (failure) =>
      failure.startsWith('check: packs/') ||
      hurt.some(
        (ref) =>
          failure === `check: ${ref} is hurt` ||
          (failure.startsWith(`${ref} is listed and cannot be had`) && failure.includes('has not arrived')),
      ),
  );
}

/** One store from its first push on. */
class Life {
  readonly seed: number;
  readonly killed: string[] = [];
  readonly failures: string[] = [];
  completed = 0;
  versions = 0;
  wasDone = 0;
  leftovers = 0;
  readonly #random: () => number;
  #ledger: Ledger = NOTHING;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = randomOf(seed);
  }

  async live(): Promise<void> {
    using directory = workDirectory();
    const person = new Person(directory.path, this.#random);
    while (this.killed.length < KILLS_A_LIFE && this.failures.length === 0) {
      const work = person.next(this.#ledger);
      // A command is killed at most three times in a row, then it has to succeed.
      for (let tries = 0; tries < 4; tries += 1) {
        const ended = await this.#attempt(
          work,
          person,
          directory.path,
          tries < 3 && (tries === 0 || this.#random() < 0.5),
        );
        if (ended || this.failures.length > 0) break;
      }
    }
    await this.#lookWithTheCommand(directory.path);
  }

  /** Runs a command; gives whether it ended by itself. */
  async #attempt(work: Work, person: Person, cwd: string, kill: boolean): Promise<boolean> {
    const before = this.#ledger;
    const after = work.after(before);
    const finished = await runIngot([...work.words, '--json'], { cwd, ...(kill ? this.#moment(work) : {}) });
    const acknowledged = finished.status === 0;
    const blobs = createLocalBlobStore(join(cwd, 'store'));
    const observed = await judge(blobs, { before, after, acknowledged }, { known: unlessWritten(before, work) });
    this.#note(observed, work, finished);
    if (work.kind === 'mirror') await this.#lookAtMirror(cwd, acknowledged, observed);
    if (work.kind === 'gc' && acknowledged) this.leftovers += JSON.parse(finished.stdout).uploads.length;
    person.see(observed);
    this.#ledger = observed;
    return acknowledged || finished.signal !== 'SIGKILL';
  }

  /** Half of the kills are at a step that changes the file system, half at a time. */
  #moment({ kind }: Work): Partial<Parameters<typeof runIngot>[1]> {
    if (this.#random() < 0.6)
      return { disk: { fault: 'kill', at: 1 + Math.floor(this.#random() * (STEPS[kind] ?? 60)) } };
    return { killAfterMs: 100 + this.#random() * (LONGEST_MS - 100) };
  }

  #note(observed: Observed, work: Work, { status, signal, stderr }: Finished): void {
    const label = `${work.words.join(' ')} (${signal ?? status}), kill ${this.killed.length + 1}`;
    this.failures.push(...observed.failures.map((failure) => `${label}: ${failure}`));
    if (signal === 'SIGKILL') this.killed.push(work.kind);
    else if (status === 0) {
      this.completed += 1;
      if (work.kind === 'push') this.versions += 1;
    } else if (status === 3 && ['delete', 'alias'].includes(work.kind)) {
      // The command that was killed before had removed it already.
      this.wasDone += 1;
      const [before, after] = [observed, work.after(observed)];
      if (after.versions.size !== before.versions.size || after.aliases.size !== before.aliases.size)
        this.failures.push(`${label}: says there is nothing to remove, which is there: ${stderr}`);
    } else this.failures.push(`${label}: ${stderr}`);
  }

  async #lookAtMirror(cwd: string, acknowledged: boolean, source: Ledger): Promise<void> {
    const place = join(cwd, 'standby');
    if (!existsSync(place)) return;
    const { failures, versions, aliases } = await observe(createLocalBlobStore(place));
    if (!acknowledged && isBeforeItsDeletion(failures, source)) return;
    this.failures.push(...failures.map((failure) => `mirror: ${failure}`));
    if (!acknowledged) return;
    for (const [kind, mirrored] of [
      ['versions', versions],
      ['aliases', aliases],
    ] as const)
      for (const [name, what] of source[kind])
        if (mirrored.get(name) !== what) this.failures.push(`mirror: ${name} is ${mirrored.get(name)}, not ${what}`);
  }

  async #lookWithTheCommand(cwd: string): Promise<void> {
    const { status, stdout, stderr } = await runIngot(['check', '--read-data', '--json'], { cwd });
    if (status !== 0) this.failures.push(`ingot check --read-data: ${stdout} ${stderr}`);
  }
}

/** A collection moves contents, so that all versions are brought again; other commands touch no pack that stands. */
function unlessWritten({ versions }: Ledger, { kind }: Work): ReadonlyMap<string, string> {
  return kind === 'gc' ? new Map() : versions;
}
