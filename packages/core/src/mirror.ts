/**
 * A *mirror* is a store that follows another: the same events and packs, byte for byte, and no writes of its own. A
 * *mirroring* copies what is missing: contents first, then each model's events in their order, the names last. So the
 * mirror is whole at every moment, and one that was cut short goes on where it was.
 */

import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import { isPackId } from './content/locator.ts';
import { RecipeReader } from './content/recipe-reader.ts';
import { parseRoot, ROOTS_PREFIX } from './content/roots.ts';
import { openStore, STORE_FORMAT_KEY, type StoreFormat } from './content/store-format.ts';
import { standingLists } from './content/sweep/condemned.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { type PackSurvey, surveyPacks } from './content/sweep/survey.ts';
import { IngotError, isIngotError } from './errors.ts';
import { canonicalJson } from './json.ts';
import { newEvents, putExactly, recipesOf } from './mirror-logs.ts';
import { PackCopier } from './mirror-packs.ts';
import type { OnProgress } from './progress.ts';
import { type ListedLog, type ListedLogs, listLogs } from './registry/care-logs.ts';
import { withSum } from './sum.ts';

/** Options of {@link mirror}. */
export interface MirrorOptions {
  readonly source: BlobStore;
  /** An empty storage, or an earlier mirror of the same source. */
  readonly destination: BlobStore;
  /** Says what would be copied and writes nothing. Default: false. */
  readonly dryRun?: boolean;
  /** Names this run among others. Default: random. */
  readonly randomId?: () => string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** What a mirroring found and copied; of a dry run, what it would copy. */
export interface MirrorResult {
  readonly source: string;
  readonly destination: string;
  /** Id that both stores have. */
  readonly store: string;
  /** Models whose logs were compared, also those that were deleted. */
  readonly models: number;
  readonly events: { readonly new: number; readonly there: number };
  /** Packs copied, and their bytes. Unknown to a dry run as far as packs are moved. */
  readonly packs: { readonly new: number; readonly bytes: number };
  readonly dryRun: boolean;
}

const LOGS_AT_ONCE = 6;
const PACKS_AT_ONCE = 4;
const MOST_ROUNDS = 5;
/** Kinds of roots that belong to work in flight in one store. */
const PASSING = /^roots\/(?:uploads|collections|mirrors)\//;

/**
 * Copies all that a destination lacks of a source: contents, histories, names.
 * @throws IngotError `conflict` when the destination is no mirror of this source or its history is another, `usage` when
 *   both are one, `content-not-found` and `integrity` when the source is damaged: all else is copied first.
 * @example
 * const { events } = await mirror({ source: team, destination: standby });
 */
export async function mirror(options: MirrorOptions): Promise<MirrorResult> {
  const { source, destination, dryRun = false } = options;
  if (source.address === destination.address)
    throw new IngotError('usage', `${source.address} cannot be its own mirror`, { operation: 'mirror' });
  const format = await openStore(source, blobOptions(options));
  const isNew = await openDestination(format, options);
  const mirroring = new Mirroring(options, (options.randomId ?? (() => randomBytes(16).toString('hex')))());
  await mirroring.copy(isNew);
  return { source: source.address, destination: destination.address, store: format.id, dryRun, ...mirroring.result };
}

/** Opens the mirror, or marks an empty storage as one. Says whether it was empty. */
async function openDestination(format: StoreFormat, options: MirrorOptions): Promise<boolean> {
  const { source, destination, dryRun } = options;
  const found = await destinationFormat(options);
  if (found === undefined) {
    const marked = { ...format, follows: source.address };
    if (dryRun !== true)
      await destination.write(STORE_FORMAT_KEY, bodyOf(`${canonicalJson(marked)}\n`), blobOptions(options));
    return true;
  }
  if (found.id === format.id && found.follows !== undefined) return false;
  const what = found.follows === undefined ? 'a store of its own' : `a mirror of ${found.follows}`;
  throw new IngotError('conflict', `${destination.address} is ${what}, not a mirror of ${source.address}`, {
    operation: 'mirror',
    hint: 'mirror to an empty address; nothing was changed',
    details: { source: format.id, destination: found.id },
  });
}

async function destinationFormat(options: MirrorOptions): Promise<StoreFormat | undefined> {
  const { destination } = options;
  try {
    return await openStore(destination, blobOptions(options));
  } catch (error) {
    if (!isIngotError(error, 'store-not-found')) throw error;
    for await (const { key } of destination.list('', blobOptions(options))) {
      throw new IngotError('conflict', `${destination.address} is not empty and no mirror ("${key}" lies there)`, {
        operation: 'mirror',
        hint: 'mirror to an empty directory or prefix; nothing was changed',
        details: { found: key },
      });
    }
    return undefined;
  }
}

/** One run. */
class Mirroring {
  readonly #options: MirrorOptions;
  readonly #run: string;
  readonly #failures: IngotError[] = [];
  readonly #roots: string[] = [];
  #copier: PackCopier;
  #newEvents = 0;
  #oldEvents = 0;
  #models = 0;
  #planned = new Set<string>();

  constructor(options: MirrorOptions, run: string) {
    this.#options = options;
    this.#run = run;
    this.#copier = this.#copierFor({ packs: new Map(), moved: new Map() });
  }

  get result(): Pick<MirrorResult, 'models' | 'events' | 'packs'> {
    const { packs, bytes } = this.#copier.copied;
    return {
      models: this.#models,
      events: { new: this.#newEvents, there: this.#oldEvents },
      packs: { new: this.#options.dryRun === true ? this.#planned.size : packs, bytes },
    };
  }

  /** The names are listed before the models' logs, so that no name stands in the mirror whose model does not. */
  async copy(isNew: boolean): Promise<void> {
    const { source, destination } = this.#options;
    const options = blobOptions(this.#options);
    const names = (await listLogs({ list: (prefix, more) => onlyNames(source, prefix, more) }, options)).logs.get(
      'names',
    );
    const [ours, theirs] = await Promise.all([
      listLogs(source, options),
      isNew ? { logs: new Map<string, ListedLog>(), strays: [] } : listLogs(destination, options),
    ]);
    if (!isNew) this.#copier = this.#copierFor(await surveyPacks(destination, options));
    refuseLost(ours, theirs, this.#options);
    const models = [...ours.logs.values()].filter(({ prefix }) => prefix !== 'names');
    this.#models = models.length;
    await inParallel(models, LOGS_AT_ONCE, (log) => this.#orFailed(() => this.#model(log, theirs)));
    await this.#otherRoots(options);
    if (names !== undefined) await this.#log(names, theirs.logs.get('names'), async () => undefined);
    await this.#removeRoots(options);
    this.#throwFailures();
  }

  async #orFailed(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // What is wrong with one model must not keep the others from being safe.
      if (!isIngotError(error, 'integrity', 'content-not-found', 'tampered', 'conflict')) throw error;
      this.#failures.push(error);
    }
  }

  // A version that is deleted in the source meanwhile may have lost its packs: the log that says so is read again.
  async #model(listed: ListedLog, theirs: ListedLogs): Promise<void> {
    let log = listed;
    for (let round = 1; ; round += 1) {
      try {
        return await this.#log(log, theirs.logs.get(log.prefix), (recipes) => this.#contents(recipes));
      } catch (error) {
        const again = await this.#listAgain(log);
        if (!isIngotError(error, 'content-not-found') || again.length === log.length || round === MOST_ROUNDS)
          throw error;
        log = again;
      }
    }
  }

  async #listAgain({ prefix }: ListedLog): Promise<ListedLog> {
    const { source } = this.#options;
    const logs = await listLogs(
      { list: (part, more) => (part === 'models/' ? source.list(`${prefix}/`, more) : noEntries()) },
      blobOptions(this.#options),
    );
    return logs.logs.get(prefix) ?? { prefix, length: 0, missing: [], heads: [], segments: [] };
  }

  async #log(
    log: ListedLog,
    theirs: ListedLog | undefined,
    bringContents: (recipes: ReturnType<typeof recipesOf>) => Promise<void>,
  ): Promise<void> {
    const { destination, dryRun } = this.#options;
    const options = blobOptions(this.#options);
    const hole = theirs?.missing[0];
    const there = hole === undefined ? (theirs?.length ?? 0) : hole - 1;
    const events = await newEvents(this.#options, { ...log, there }, options);
    await bringContents(recipesOf(events));
    if (dryRun !== true) {
      for (const { key, bytes } of events) await putExactly(destination, key, bytes, options);
      await this.#caches(log, theirs, options);
    }
    this.#newEvents += events.length;
    this.#oldEvents += there;
  }

  /** Heads and segments only save reading: without the newest of them a long log would be read event by event. */
  async #caches(log: ListedLog, theirs: ListedLog | undefined, options: BlobOptions): Promise<void> {
    const { source, destination } = this.#options;
    const have = new Set([...(theirs?.heads ?? []), ...(theirs?.segments ?? [])]);
    for (const key of [...log.segments, ...log.heads.slice(-1)]) {
      if (have.has(key)) continue;
      const bytes = await readIfPresent(source, key, options);
      if (bytes !== undefined) await destination.write(key, bodyOf(bytes), options);
    }
  }

  async #contents(recipes: ReturnType<typeof recipesOf>): Promise<void> {
    if (recipes.length === 0) return;
    const reader = new RecipeReader(this.#options.source);
    const packs = new Set<string>();
    for (const ref of recipes) {
      packs.add(ref.pack);
      for (const pack of (await reader.openRecipe(ref, blobOptions(this.#options))).packs) packs.add(pack);
    }
    await this.#packs([...packs]);
  }

  async #packs(packs: readonly string[]): Promise<void> {
    if (this.#options.dryRun === true) {
      for (const pack of packs) if (!this.#copier.has(pack)) this.#planned.add(pack);
      return;
    }
    await this.#keep(packs);
    await inParallel(packs, PACKS_AT_ONCE, (pack) => this.#copier.copy(pack));
  }

  /** Names what will be relied on before it is, as every writer does, so that no collection there takes it. */
  async #keep(packs: readonly string[]): Promise<void> {
    const { destination } = this.#options;
    const key = `${ROOTS_PREFIX}mirrors/${this.#run}/${this.#roots.length}.json`;
    this.#roots.push(key);
    const root = withSum({ format: 1, packs });
    await destination.write(key, bodyOf(`${canonicalJson(root)}\n`), blobOptions(this.#options));
    const { lists } = await standingLists(destination, blobOptions(this.#options));
    const going = new Set(lists.flatMap((list) => list.packs));
    const condemned = packs.find((pack) => going.has(pack) && !this.#copier.isMoved(pack));
    if (condemned === undefined) return await this.#copier.lookAgain(packs);
    throw new IngotError('unavailable', `a collection in ${destination.address} is deleting pack ${condemned}`, {
      operation: 'mirror',
      hint: `ingot gc --registry ${destination.address}   (finishes it; then mirror again)`,
      details: { pack: condemned },
    });
  }

  /** Roots that stand for something lasting, with the packs they name. */
  async #otherRoots(options: BlobOptions): Promise<void> {
    const { source, destination, dryRun } = this.#options;
    for await (const { key } of source.list(ROOTS_PREFIX, options)) {
      if (PASSING.test(key)) continue;
      const bytes = await readIfPresent(source, key, options);
      if (bytes === undefined) continue;
      await this.#packs(parseRoot(bytes, key).filter(isPackId));
      if (dryRun !== true) await destination.write(key, bodyOf(bytes), options);
    }
  }

  async #removeRoots(options: BlobOptions): Promise<void> {
    for (const key of this.#roots.splice(0)) await this.#options.destination.delete(key, options);
  }

  #copierFor({ packs, moved }: Pick<PackSurvey, 'packs' | 'moved'>): PackCopier {
    const { source, destination, onProgress, signal } = this.#options;
    const there = new Set(packs.keys());
    return new PackCopier({
      source,
      destination,
      there,
      moved: new Set(moved.keys()),
      onProgress,
      ...(signal ? { signal } : {}),
    });
  }

  #throwFailures(): void {
    const [first] = this.#failures;
    if (first === undefined) return;
    const others = this.#failures.length - 1;
    const rest = others === 0 ? '' : ` (and ${others} more ${others === 1 ? 'model' : 'models'})`;
    throw new IngotError(first.code, `not all was mirrored: ${first.message}${rest}`, {
      operation: 'mirror',
      ...(first.hint === undefined ? {} : { hint: first.hint }),
      details: { ...first.details, failures: this.#failures.map(({ code, message }) => ({ code, message })) },
      cause: first,
    });
  }
}

/** Refuses a destination with logs that the source does not have. */
function refuseLost(ours: ListedLogs, theirs: ListedLogs, { source, destination }: MirrorOptions): void {
  for (const [prefix, { length }] of theirs.logs) {
    if (length === 0 || ours.logs.has(prefix)) continue;
    throw new IngotError('conflict', `${destination.address} has ${prefix}, which ${source.address} has not`, {
      operation: 'mirror',
      hint: 'find out which of the two was restored from an old copy; nothing was changed',
      details: { log: prefix },
    });
  }
}

function onlyNames(blobs: BlobStore, prefix: string, more: Parameters<BlobStore['list']>[1]) {
  return prefix === 'names/' ? blobs.list(prefix, more) : noEntries();
}

async function* noEntries(): AsyncGenerator<never> {}

function blobOptions({ signal }: { readonly signal?: AbortSignal }): BlobOptions {
  return signal ? { signal } : {};
}
