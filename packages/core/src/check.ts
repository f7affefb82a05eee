/**
 * A check reads a store and says what of it is damaged, and which versions that hurts. It changes nothing. *Structure*
 * is everything but the contents of files: logs, caches, roots, recipes, pages, and that packs are there and list what
 * versions need of them. With `readData` every entry of every pack is hashed too. A file's own digest then follows: it
 * was compared with its pieces when it was pushed, and pieces and recipe are what they were.
 */

import type { BlobStore } from './blob/blob-store.ts';
import { stopIfInterrupted } from './blob/interrupt.ts';
import { damagedVersions, type NeededVersion } from './check-affected.ts';
import { checkFormat, checkLists, checkMovedFiles, checkRoots } from './check-documents.ts';
import { checkLogs } from './check-logs.ts';
import { PackCheck } from './check-packs.ts';
import type { CheckResult } from './check-report.ts';
import { CheckRun } from './check-run.ts';
import { countStrangers } from './check-strangers.ts';
import { type EntryHasher, openEntryHasher } from './content/check/hash-entries.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { LiveIndex } from './content/sweep/live-index.ts';
import { addMovedRows, MovedFiles } from './content/sweep/marks.ts';
import { LiveReader } from './content/sweep/read-live.ts';
import { surveyPacks } from './content/sweep/survey.ts';
import { isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';

/** Options of {@link check}. */
export interface CheckOptions {
  readonly blobs: BlobStore;
  /** Hashes all bytes of all packs. Default: false. */
  readonly readData?: boolean;
  /** Threads that hash. Default: 2; with 0 everything happens in this thread. */
  readonly threads?: number;
  /** Is given what all versions need, as far as their recipes can be read. */
  readonly onNeeded?: (index: LiveIndex) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

const RECIPES_AT_ONCE = 8;
const FOOTERS_AT_ONCE = 16;

/**
 * Checks a store.
 * @throws IngotError `store-not-found`, `refused` (a format of a newer release), `unavailable`; damage is no error.
 * @example
 * const { ok, versions } = await check({ blobs, readData: true });
 */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const { readData = false, threads = 2 } = options;
  const run = new CheckRun(options);
  await using hasher = openEntryHasher(options.blobs, readData ? threads : 0, run.call);
  return await new Check(options, run, hasher).run();
}

class Check {
  readonly #options: CheckOptions;
  readonly #run: CheckRun;
  readonly #hasher: EntryHasher;
  readonly #index = new LiveIndex(true);
  readonly #moved: MovedFiles;

  constructor(options: CheckOptions, run: CheckRun, hasher: EntryHasher) {
    this.#options = options;
    this.#run = run;
    this.#hasher = hasher;
    this.#moved = new MovedFiles(options.blobs);
  }

  async run(): Promise<CheckResult> {
    const run = this.#run;
    await checkFormat(run);
    run.remark('files that are none of a store', await countStrangers(run.blobs, run.call));
    const { needed, doubtful } = await checkLogs(run);
    const survey = await surveyPacks(run.blobs, run.call);
    const named = new Map(await checkRoots(run));
    await checkLists(run);
    await this.#moved.load(await checkMovedFiles(run, survey.moved.keys()), run.call);
    for (const pack of await this.#recipes(needed)) named.set(pack, 'a version');
    addMovedRows(this.#index, this.#moved);
    await this.#packs(named).check(survey);
    const hurt = await damagedVersions(needed, {
      ...run.call,
      blobs: run.blobs,
      lost: run.lost,
      moved: this.#moved,
      hasher: this.#hasher,
    });
    const versions = [...hurt, ...doubtful.filter(({ ref }) => !hurt.some((other) => other.ref === ref))];
    this.#options.onNeeded?.(this.#index);
    const { damage, notes, checked } = run;
    return { ok: damage.length === 0, readData: this.#options.readData ?? false, damage, versions, notes, checked };
  }

  /** Reads all recipes and pages into the index, and gives the packs they name; what cannot be read is damage. */
  async #recipes(needed: readonly NeededVersion[]): Promise<ReadonlySet<string>> {
    const run = this.#run;
    const reader = new LiveReader(run.blobs, this.#index);
    const named = new Set<string>();
    await inParallel(needed, RECIPES_AT_ONCE, async ({ recipe }) => {
      stopIfInterrupted(run.call.signal, 'check');
      run.checked.versions += 1;
      run.tell('versions', String(run.checked.versions));
      try {
        for (const pack of await reader.add(recipe, run.call)) named.add(pack);
      } catch (error) {
        if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
        run.notePack(typeof error.details.pack === 'string' ? error.details.pack : recipe.pack, error.message);
      }
    });
    return named;
  }

  #packs(named: ReadonlyMap<string, string>): PackCheck {
    const { readData = false, threads = 2 } = this.#options;
    return new PackCheck(this.#run, {
      index: this.#index,
      moved: this.#moved,
      named,
      hasher: this.#hasher,
      readData,
      hands: readData ? Math.max(1, threads) * 2 : FOOTERS_AT_ONCE,
    });
  }
}
