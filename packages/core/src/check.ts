/**
 * A check reads a store and says what of it is damaged, and which versions that hurts. It changes nothing. *Structure*
 * is everything but the contents of files: logs, caches, roots, recipes, pages, and that packs are there and list what
 * versions need of them. With `readData` every entry of every pack is hashed too. A file's own digest then follows: it
 * was compared with its pieces when it was pushed, and pieces and recipe are what they were.
 */

import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { readIfPresent } from './blob/bytes.ts';
import { stopIfInterrupted } from './blob/interrupt.ts';
import { damagedVersions, type NeededVersion, namelessVersions, ofDamagedHistory } from './check-affected.ts';
import { countStrangers } from './check-strangers.ts';
import {
  type CheckNote,
  type CheckResult,
  type Damage,
  type DamagedVersion,
  REPAIR_COMMAND,
  RESTORE_IT,
} from './check-report.ts';
import { type EntryHasher, openEntryHasher } from './content/check/hash-entries.ts';
import { strangeRows } from './content/check/pack-rows.ts';
import { packKey } from './content/locator.ts';
import { type PackedEntry, readPackFooter } from './content/pack.ts';
import { parseCondemnedList, parseRoot, parseUploadRoot } from './content/roots.ts';
import { openStore, STORE_FORMAT_KEY } from './content/store-format.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { digestOfRow, LiveIndex } from './content/sweep/live-index.ts';
import { addMovedRows, MovedFiles, marksOf, stops } from './content/sweep/marks.ts';
import { movedKey, parseMoved } from './content/sweep/moved.ts';
import { LiveReader } from './content/sweep/read-live.ts';
import { type PackSurvey, surveyPacks } from './content/sweep/survey.ts';
import { IngotError, isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import { checkListings, checkLog } from './registry/care-check.ts';
import { listLogs } from './registry/care-logs.ts';
import { lostItsSum } from './sum.ts';

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

const LOGS_AT_ONCE = 4;
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
  await using hasher = openEntryHasher(options.blobs, readData ? threads : 0, callOptions(options));
  return await new Check(options, hasher).run();
}

function callOptions({ signal }: CheckOptions): BlobOptions {
  return signal ? { signal } : {};
}

class Check {
  readonly #options: CheckOptions;
  readonly #blobs: BlobStore;
  readonly #call: BlobOptions;
  readonly #hasher: EntryHasher;
  readonly #damage = new Map<string, Damage>();
  readonly #notes = new Map<string, CheckNote>();
  readonly #needed: NeededVersion[] = [];
  /** Versions of logs that are damaged themselves. */
  readonly #doubtful: DamagedVersion[] = [];
  readonly #index = new LiveIndex(true);
  readonly #moved: MovedFiles;
  /** Offsets of needed rows that cannot be read, by pack. */
  readonly #lost = new Map<string, Set<number>>();
  readonly #named = new Map<string, string>();
  readonly #checked = { logs: 0, events: 0, versions: 0, packs: 0, entries: 0, bytes: 0 };

  constructor(options: CheckOptions, hasher: EntryHasher) {
    this.#options = options;
    this.#blobs = options.blobs;
    this.#call = callOptions(options);
    this.#hasher = hasher;
    this.#moved = new MovedFiles(options.blobs);
  }

  async run(): Promise<CheckResult> {
    await this.#format();
    this.#remark('files that are none of a store', await countStrangers(this.#blobs, this.#call), 0);
    await this.#logs();
    const survey = await surveyPacks(this.#blobs, this.#call);
    await this.#careDocuments(survey);
    await this.#recipes();
    addMovedRows(this.#index, this.#moved);
    await this.#packs(survey);
    this.#missing(survey);
    const hurt = await damagedVersions(this.#blobs, this.#needed, this.#lost, this.#moved, this.#call);
    const versions = [...hurt, ...this.#doubtful.filter(({ ref }) => !hurt.some((other) => other.ref === ref))];
    const damage = [...this.#damage.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    this.#options.onNeeded?.(this.#index);
    return {
      ok: damage.length === 0,
      readData: this.#options.readData ?? false,
      damage,
      versions,
      notes: [...this.#notes.values()],
      checked: this.#checked,
    };
  }

  async #format(): Promise<void> {
    try {
      await openStore(this.#blobs, this.#call);
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      this.#note(STORE_FORMAT_KEY, 'store', error.message, RESTORE_IT);
      return;
    }
    const bytes = await readIfPresent(this.#blobs, STORE_FORMAT_KEY, this.#call);
    const known = ['format', 'id', 'created', 'chunker', 'sealed', 'governed', 'follows'];
    if (bytes !== undefined && lostItsSum(JSON.parse(String(bytes)), known))
      this.#note(STORE_FORMAT_KEY, 'store', 'holds an entry that no release writes', RESTORE_IT);
  }

  async #logs(): Promise<void> {
    const { logs, strays } = await listLogs(this.#blobs, this.#call);
    this.#remark('files that belong to no log', strays.length, 0);
    const onEvent = () => {
      this.#checked.events += 1;
      if (this.#checked.events % 100 === 0) this.#tell('events', String(this.#checked.events));
    };
    let names: ReadonlyMap<string, string> = new Map();
    let areNamesWhole = true;
    const doubtful: { readonly id: string; readonly numbers: readonly number[] }[] = [];
    await inParallel(logs.values(), LOGS_AT_ONCE, async (log) => {
      const found = await checkLog(this.#blobs, log, this.#call, onEvent);
      this.#checked.logs += 1;
      if (log.prefix === 'names') {
        names = found.names;
        areNamesWhole = found.damage.every(({ isCache }) => isCache);
      }
      for (const { key, message, isCache } of found.damage)
        this.#note(key, isCache ? 'cache' : 'log', message, isCache ? `${REPAIR_COMMAND} (or delete it)` : RESTORE_IT);
      this.#remark('events that only a newer release knows', found.unknownKinds.length, 0);
      const id = log.prefix.slice('models/'.length);
      this.#needed.push(...found.recipes.map((recipe) => ({ model: id, ...recipe })));
      doubtful.push({ id, numbers: found.doubtful });
    });
    // A model whose name nobody can tell any more cannot be asked for.
    if (!areNamesWhole) doubtful.push(...namelessVersions(this.#needed, names));
    for (const { id, numbers } of doubtful)
      this.#doubtful.push(...numbers.map((number) => ofDamagedHistory(names.get(id) ?? id, number)));
    for (const [n, version] of this.#needed.entries())
      this.#needed[n] = { ...version, model: names.get(version.model) ?? version.model };
    for (const { key, message } of await checkListings(this.#blobs, this.#call))
      this.#note(key, 'cache', message, `${REPAIR_COMMAND} (or delete it)`);
  }

  /** Roots, condemned lists and moved files. */
  async #careDocuments(survey: PackSurvey): Promise<void> {
    const roots = new Map<string, string>();
    for await (const { key } of this.#blobs.list('roots/', this.#call)) {
      const read = key.startsWith('roots/uploads/')
        ? (bytes: Uint8Array) => parseUploadRoot(bytes, key).packs
        : (bytes: Uint8Array) => parseRoot(bytes, key);
      const packs = await this.#document(
        key,
        read,
        ['format', 'upload', 'modelId', 'at', 'packs', 'run'],
        rootRepair(key),
      );
      for (const pack of packs ?? []) roots.set(pack, key);
      this.#remark('roots of pushes and collections in flight, or abandoned', 1, 0);
    }
    for await (const { key } of this.#blobs.list('gc/', this.#call)) {
      await this.#document(key, (bytes) => parseCondemnedList(bytes, key), ['format', 'packs', 'moved'], 'ingot gc');
      this.#remark('lists of collections at work, or cut short (`ingot gc` finishes them)', 1, 0);
    }
    for (const pack of survey.moved.keys())
      await this.#document(movedKey(pack), (bytes) => parseMoved(bytes, movedKey(pack)), [], RESTORE_IT);
    const sound = [...survey.moved.keys()].filter((pack) => !this.#damage.has(movedKey(pack)));
    await this.#moved.load(sound, this.#call);
    for (const [pack, key] of roots) this.#named.set(pack, key);
  }

  async #document<T>(
    key: string,
    read: (bytes: Uint8Array) => T,
    known: readonly string[],
    repair: string,
  ): Promise<T | undefined> {
    const bytes = await readIfPresent(this.#blobs, key, this.#call);
    if (bytes === undefined) return undefined;
    try {
      const document = read(bytes);
      if (known.length === 0 || !lostItsSum(JSON.parse(String(bytes)), known)) return document;
      this.#note(key, 'care', 'holds an entry that no release writes', repair);
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      this.#note(key, 'care', error.message, repair);
    }
    return undefined;
  }

  /** Reads all recipes and pages into the index; what cannot be read is damage in its pack. */
  async #recipes(): Promise<void> {
    const reader = new LiveReader(this.#blobs, this.#index);
    await inParallel(this.#needed, RECIPES_AT_ONCE, async ({ recipe }) => {
      stopIfInterrupted(this.#call.signal, 'check');
      this.#checked.versions += 1;
      this.#tell('versions', String(this.#checked.versions));
      try {
        for (const pack of await reader.add(recipe, this.#call)) this.#named.set(pack, 'a version');
      } catch (error) {
        if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
        const pack = typeof error.details.pack === 'string' ? error.details.pack : recipe.pack;
        this.#notePack(pack, error.message);
      }
    });
  }

  async #packs(survey: PackSurvey): Promise<void> {
    const totalBytes = [...survey.packs.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const named = marksOf({ versions: this.#named, roots: new Map() }, this.#moved).named;
    const hands = this.#options.readData === true ? Math.max(1, this.#options.threads ?? 2) * 2 : FOOTERS_AT_ONCE;
    let [donePacks, doneBytes] = [0, 0];
    await inParallel(survey.packs, hands, async ([pack, { sizeBytes }]) => {
      stopIfInterrupted(this.#call.signal, 'check');
      await this.#pack(pack, sizeBytes);
      donePacks += 1;
      doneBytes += sizeBytes;
      // Without reading data, bytes and their rate would tell of work that is not done.
      this.#tell(
        'packs',
        this.#options.readData === true ? { doneBytes, totalBytes } : `${donePacks} of ${survey.packs.size}`,
      );
      if (!named.has(pack)) this.#remark(this.#unnamed(), 1, sizeBytes);
    });
    for (const [pack] of survey.moved) {
      if (!survey.packs.has(pack) && !named.has(pack)) this.#remark('moved files that nothing follows', 1, 0);
    }
    this.#remark('files among the packs that are none', survey.strays.length, 0);
  }

  /** Nobody may take for waste what only a damaged history or recipe would name. */
  #unnamed(): string {
    const isTold = [...this.#damage.values()].every(({ sort }) => sort === 'cache');
    return isTold ? 'packs that nothing names (`ingot gc` takes them)' : 'packs that nothing undamaged names';
  }

  async #pack(pack: string, sizeBytes: number): Promise<void> {
    let entries: readonly PackedEntry[];
    try {
      entries = await readPackFooter(this.#blobs, pack, this.#call);
    } catch (error) {
      if (isIngotError(error, 'content-not-found')) return await this.#vanished(pack);
      if (!isIngotError(error, 'integrity')) throw error;
      // Without its footer nobody knows what lies in it; what versions need of it is checked piece by piece.
      this.#notePack(pack, error.message);
      return await this.#rowsAlone(pack, sizeBytes);
    }
    this.#checked.packs += 1;
    this.#checked.entries += entries.length;
    const rows = this.#index.rows(pack);
    for (const offset of strangeRows(entries, rows)) {
      this.#notePack(pack, `its footer does not list what versions need at ${offset}`);
      this.#lose(pack, offset);
    }
    if (this.#options.readData === true) await this.#bytes(pack, entries, sizeBytes);
  }

  async #bytes(pack: string, entries: readonly PackedEntry[], sizeBytes: number): Promise<void> {
    try {
      for (const { offset, digest } of await this.#hasher.badEntries(pack, entries, sizeBytes)) {
        this.#notePack(pack, `the entry ${digest} at ${offset} has other bytes now`);
        this.#lose(pack, offset);
      }
      this.#checked.bytes += entries.reduce((sum, { length }) => sum + length, 0);
    } catch (error) {
      if (!isIngotError(error, 'content-not-found')) throw error;
      await this.#vanished(pack);
    }
  }

  /** Checks what versions need of a pack whose footer is damaged. */
  async #rowsAlone(pack: string, sizeBytes: number): Promise<void> {
    const rows = this.#index.rows(pack);
    const entries = [...rows.offsets].flatMap((offset, n): PackedEntry[] => {
      const digest = digestOfRow(rows, n);
      return digest === undefined ? [] : [{ digest, offset, length: rows.lengths[n] ?? 0 }];
    });
    for (const { offset } of await this.#hasher.badEntries(pack, entries, sizeBytes)) this.#lose(pack, offset);
  }

  // A collection took it since the packs were listed, so nothing needed it; if something does, its rows are missing.
  async #vanished(pack: string): Promise<void> {
    if ((await this.#blobs.stat(packKey(pack), this.#call)) !== undefined) return;
    this.#remark('packs that a collection took during the check', 1, 0);
  }

  /** Rows of packs that are not there, and were not moved to packs that are. */
  #missing({ packs }: PackSurvey): void {
    for (const pack of this.#index.packs()) {
      if (packs.has(pack)) continue;
      const { offsets, lengths } = this.#index.rows(pack);
      for (const [n, offset] of offsets.entries()) {
        const row = { pack, offset, length: lengths[n] ?? 0 };
        if ([...stops(row, this.#moved)].some((stop) => packs.has(stop.pack))) continue;
        this.#notePack(pack, 'it is missing, and versions need it');
        this.#lose(pack, offset);
      }
    }
  }

  #lose(pack: string, offset: number): void {
    const lost = this.#lost.get(pack) ?? new Set();
    this.#lost.set(pack, lost.add(offset));
  }

  #notePack(pack: string, message: string): void {
    this.#note(packKey(pack), 'contents', message, REPAIR_COMMAND, pack);
  }

  #note(key: string, sort: Damage['sort'], message: string, repair: string, pack?: string): void {
    if (this.#damage.has(key)) return;
    this.#damage.set(key, { key, sort, message, repair, ...(pack === undefined ? {} : { pack }) });
  }

  #remark(what: string, count: number, bytes: number): void {
    if (count === 0) return;
    const before = this.#notes.get(what);
    this.#notes.set(what, { what, count: count + (before?.count ?? 0), bytes: bytes + (before?.bytes ?? 0) });
  }

  #tell(path: string, done: string | { readonly doneBytes: number; readonly totalBytes: number }): void {
    const event = typeof done === 'string' ? { doneBytes: 0, totalBytes: 0, message: done } : done;
    this.#options.onProgress?.({ phase: 'check', path, ...event });
  }
}

function rootRepair(key: string): string {
  return `delete ${key} once nothing is being pushed that could have written it`;
}

/** The error that a check with damage ends with: exit 8. */
export function damageError({ damage, versions }: CheckResult): IngotError | undefined {
  const [first] = damage;
  if (first === undefined) return undefined;
  const hurt =
    versions.length === 0 ? '' : `; ${versions.length} ${versions.length === 1 ? 'version is' : 'versions are'} hurt`;
  return new IngotError(
    'integrity',
    `${damage.length} ${damage.length === 1 ? 'object is' : 'objects are'} damaged${hurt}`,
    {
      operation: 'check',
      hint: first.repair,
      details: { damaged: damage.length, versions: versions.map(({ ref }) => ref) },
    },
  );
}
