/** Power cuts: what a recorded command may leave on a disk, at every moment and in many combinations, and what then works. */

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { collect } from '@ingot/core/collect';
import { push } from '@ingot/core/push';
import { openLogRegistry } from '@ingot/core/registry/open';
import { randomOf } from '@ingot/core/seeded-random';
import { runIngot } from './command.ts';
import { type Change, type Cut, DiskModel, type Tree, treeOf, writeTree } from './disk-model.ts';
import { differences, observe } from './judge.ts';
import { judgeWorld, type Prepared, prepareAll } from './prepared.ts';
import { oneOf, type Outcome, type Trial, type TrialOptions } from './trial.ts';

const RECORDING_DISK = fileURLToPath(new URL('./recording-disk.mjs', import.meta.url));

/** Every prefix and 10,000 samples of each command in the full form. */
export const powerCuts: Trial = {
  name: 'power-cuts',
  about: 'power cuts at every moment of push, alias, delete, gc and mirror, with any unflushed change lost or torn',
  async run(options: TrialOptions): Promise<Outcome> {
    const tally = { changes: 0, cuts: 0, distinct: 0, withPush: 0, withCommand: 0, acknowledged: 0 };
    const failures: string[] = [];
    for (const prepared of await prepareAll(options.seed)) {
      using _ = prepared;
      const recorded = await Recorded.of(prepared);
      tally.changes += recorded.model.changes.length;
      const seen = new Set<string>();
      const random = randomOf(options.seed);
      for (const cut of cutsOf(recorded, prepared.work.kind === 'push', options, random)) {
        tally.cuts += 1;
        const tree = recorded.model.after(cut);
        const acknowledged = recorded.ackAt < cut.at;
        const print = printOf(tree, acknowledged);
        if (seen.has(print)) continue;
        seen.add(print);
        tally.distinct += 1;
        if (acknowledged) tally.acknowledged += 1;
        const withCommand = seen.size % (options.full ? 50 : 10) === 0;
        if (withCommand) tally.withCommand += 1;
        const withPush = seen.size % 4 === 1;
        if (withPush) tally.withPush += 1;
        const label = `${prepared.label}, cut after ${cut.at} of ${recorded.model.changes.length}, ${cut.model}, keep ${cut.keep}`;
        failures.push(
          ...(await recovered(prepared, tree, { acknowledged, withPush, withCommand })).map(
            (failure) => `${label}: ${failure}`,
          ),
        );
        if (failures.length > 20) break;
      }
      options.say(`${prepared.label}: ${recorded.model.changes.length} changes, ${seen.size} different disks`);
    }
    return {
      figures: {
        'changes recorded': tally.changes,
        'power cuts': tally.cuts,
        'different disks that they left': tally.distinct,
        'of those, behind the acknowledgement': tally.acknowledged,
        'of those, pushed to and collected afterwards': tally.withPush,
        'of those, recovered by the command itself too': tally.withCommand,
      },
      failures,
      skipped: [],
    };
  },
};

/** A command as it was recorded once. */
class Recorded {
  readonly model: DiskModel;
  /** Position of the moment at which the command said that it was done. */
  readonly ackAt: number;

  private constructor(model: DiskModel) {
    this.model = model;
    this.ackAt = model.changes.findIndex(({ op }) => op === 'ack');
  }

  static async of(prepared: Prepared): Promise<Recorded> {
    using directory = prepared.copy();
    using outside = prepared.copy();
    const log = join(outside.path, 'changes');
    const base = treeOf(directory.path);
    const finished = await runIngot([...prepared.work.words, '--json'], {
      cwd: directory.path,
      env: { RECORD_UNDER: directory.path, RECORD_TO: log },
      nodeFlags: ['--import', RECORDING_DISK],
    });
    if (finished.status !== 0) throw new Error(`recording ${prepared.label}: ${finished.stderr}`);
    const changes: Change[] = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const recorded = new Recorded(new DiskModel(directory.path, base, changes));
    recorded.#checkComplete(treeOf(directory.path), prepared.label);
    return recorded;
  }

  /** With nothing lost, the model has to say what the disk says. */
  #checkComplete(real: Tree, label: string): void {
    const all = this.model.after({ at: this.model.changes.length, model: 'anything', keep: 1, random: () => 0 });
    const names = new Set([...real.keys(), ...all.keys()]);
    const wrong = [...names].filter(
      (name) => !(all.get(name)?.equals(real.get(name) ?? Buffer.from('no')) ?? all.has(name) === real.has(name)),
    );
    if (wrong.length > 0) throw new Error(`the recording of ${label} misses changes of ${wrong.join(', ')}`);
  }
}

/** Every prefix with all and with as little as may be, then samples: most of pushes. The short form takes some of each. */
function* cutsOf(
  { model, ackAt }: Recorded,
  isPush: boolean,
  { full }: TrialOptions,
  random: () => number,
): Iterable<Cut> {
  const last = model.changes.length;
  for (let at = 0; at <= last; at += full ? 1 : 1 + Math.floor(random() * 30)) {
    yield { at, model: 'anything', keep: 1, random };
    yield { at, model: 'anything', keep: 0, random };
    if (full) yield { at, model: 'journal', keep: 0, random };
  }
  yield { at: ackAt + 1, model: 'anything', keep: 0, random };
  yield { at: ackAt + 1, model: 'journal', keep: 0, random };
  const samples = full ? (isPush ? 10_000 : 1000) : 5;
  for (let sample = 0; sample < samples; sample += 1)
    yield {
      at: Math.floor(random() * (last + 1)),
      model: oneOf(['anything', 'journal'], random),
      keep: oneOf([0.2, 0.5, 0.8], random),
      random,
    };
}

function printOf(tree: Tree, acknowledged: boolean): string {
  const hash = createHash('sha256').update(String(acknowledged));
  for (const [path, bytes] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (path.startsWith('package-')) continue;
    hash.update(`${path}\0${bytes?.length ?? 'directory'}\0`);
    if (bytes !== undefined) hash.update(bytes);
  }
  return hash.digest('hex');
}

/** Opens, lists, checks and brings everything, then perhaps pushes and collects; gives what is wrong. */
async function recovered(
  prepared: Prepared,
  tree: Tree,
  { acknowledged, withPush, withCommand }: { acknowledged: boolean; withPush: boolean; withCommand: boolean },
): Promise<string[]> {
  const cwd = mkdtempSync(join(roomyMemory(), 'ingot-cut-'));
  try {
    writeTree(cwd, tree);
    const { before, after } = prepared;
    const failures = [...(await judgeWorld(cwd, { before, after, acknowledged }))];
    if (withCommand) failures.push(...(await withTheCommand(prepared, cwd)));
    return withPush ? [...failures, ...(await pushAndCollect(cwd))] : failures;
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** The real command, with what the cut left of the cache: the same command, then a look. */
async function withTheCommand(prepared: Prepared, cwd: string): Promise<string[]> {
  const { after, work } = prepared;
  const again = await runIngot([...work.words, '--json'], { cwd });
  if (again.status !== 0 && !(again.status === 3 && work.kind === 'delete'))
    return [`the same command again: ${again.stderr}`];
  const checked = await runIngot(['check', '--read-data', '--json'], { cwd });
  const failures = checked.status === 0 ? [] : [`ingot check: ${checked.stdout}`];
  return [
    ...failures,
    ...(await judgeWorld(cwd, { before: after, after, acknowledged: true })).map((failure) => `again: ${failure}`),
  ];
}

async function pushAndCollect(cwd: string): Promise<string[]> {
  const blobs = createLocalBlobStore(join(cwd, 'store'));
  await createStore(blobs);
  const before = await observe(blobs, { readData: false });
  await using registry = openLogRegistry({ blobs, actor: 'after' });
  const { ref } = await push(join(cwd, 'package-1'), {
    registry,
    contents: createBlobContentStore(blobs),
    name: 'after',
  });
  await collect({ blobs, actor: 'after', graceMs: 0 });
  const observed = await observe(blobs);
  const after = { ...before, versions: new Map([...before.versions, [ref, observed.versions.get(ref) ?? 'lost']]) };
  const failures = [...observed.failures, ...differences(observed, after, after)];
  return failures.map((failure) => `after another push and a collection: ${failure}`);
}

let memory: string | undefined;

/** A file system in memory where there is one with some room: what is lost there was never to be kept. */
function roomyMemory(): string {
  memory ??=
    existsSync('/dev/shm') && statfsSync('/dev/shm').bavail * statfsSync('/dev/shm').bsize > 50e6
      ? '/dev/shm'
      : tmpdir();
  return memory;
}
