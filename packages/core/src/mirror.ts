/**
 * A *mirror* is a store that follows another: the same events and packs, byte for byte, and no writes of its own. A
 * *mirroring* copies what is missing: contents first, then each model's events in their order, the names last. So the
 * mirror is whole at every moment, and one that was cut short goes on where it was.
 */

import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import { isPackId } from './content/locator.ts';
import { parseRoot, ROOTS_PREFIX } from './content/roots.ts';
import { createStore, openStore, type StoreFormat } from './content/store-format.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import type { Digest } from './digest.ts';
import { IngotError, isIngotError } from './errors.ts';
import { compareLast, type Divergence, divergedError, putExactly } from './mirror-logs.ts';
import { PackCopier } from './mirror-packs.ts';
import { type LogPlan, Planner, type Slice } from './mirror-plan.ts';
import { MirrorRoots } from './mirror-roots.ts';
import type { OnProgress } from './progress.ts';
import { type ListedLog, type ListedLogs, listLogs } from './registry/care-logs.ts';

/** Options of {@link mirror}. */
export interface MirrorOptions {
  readonly source: BlobStore;
  /** An empty storage, or an earlier mirror of the same store. */
  readonly destination: BlobStore;
  /** Ids of the models whose logs and contents are copied; names are copied of all. Default: all models. */
  readonly models?: ReadonlySet<string>;
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
  readonly packs: { readonly new: number; readonly bytes: number };
  readonly dryRun: boolean;
}

/** A log of the source beside what the mirror has of it. */
interface ComparedLog {
  readonly ours: ListedLog;
  readonly theirs: ListedLog;
  /** Number and digest of the last event that both have. */
  readonly there: number;
  readonly last: Digest | null;
}

const COMPARED_AT_ONCE = 32;
const LOGS_AT_ONCE = 8;
const MOST_ROUNDS = 5;
/** Kinds of roots that belong to work in flight in one store. */
const PASSING = /^roots\/(?:uploads|collections|mirrors)\//;
const NAMES = 'names';

/**
 * Copies all that a destination lacks of a source: contents, histories, names. Safe beside pushes, collections and other
 * mirrorings in both stores, and to interrupt and repeat at any point.
 * @throws IngotError `conflict` when the destination is no mirror of this store or its history is another, before
 *   anything is copied; `usage` when both are one; `refused` when the destination takes no writes; `content-not-found`,
 *   `integrity` and `tampered` when the source is damaged: all else is copied first.
 * @example
 * const { events } = await mirror({ source: team, destination: standby });
 */
export async function mirror(options: MirrorOptions): Promise<MirrorResult> {
  const { source, destination, dryRun = false } = options;
  if (source.address === destination.address)
    throw new IngotError('usage', `${source.address} cannot be its own mirror`, { operation: 'mirror' });
  if (destination.capabilities.readOnly && !dryRun)
    throw new IngotError('refused', `${destination.address} can only be read: nothing can be copied there`, {
      operation: 'mirror',
    });
  const format = await openStore(source, blobOptions(options));
  const isNew = await openDestination(format, options);
  const mirroring = new Mirroring(options, (options.randomId ?? (() => randomBytes(16).toString('hex')))());
  await mirroring.run(isNew);
  return { source: source.address, destination: destination.address, store: format.id, dryRun, ...mirroring.result };
}

/** Opens the mirror, or makes an empty storage one. Says whether there is nothing yet, in a dry run. */
async function openDestination(format: StoreFormat, options: MirrorOptions): Promise<boolean> {
  const { source, destination, dryRun } = options;
  const call = blobOptions(options);
  try {
    const found =
      dryRun === true
        ? await openStore(destination, call)
        : await createStore(destination, { ...call, mirrorOf: { format, address: source.address } });
    if (found.id === format.id && found.follows !== undefined) return false;
    throw notMirror(found, format, options);
  } catch (error) {
    if (dryRun === true && isIngotError(error, 'store-not-found') && (await isEmpty(destination, call))) return true;
    const isOther = isIngotError(error, 'conflict') || (dryRun === true && isIngotError(error, 'store-not-found'));
    if (!isOther || error.operation === 'mirror') throw error;
    throw new IngotError('conflict', `${destination.address} holds other files, and is no mirror`, {
      operation: 'mirror',
      hint: 'mirror to an empty directory or prefix; nothing was changed',
      details: error.details,
      cause: error,
    });
  }
}

/** A bucket or directory that is not there is another matter, and says so itself. */
async function isEmpty(blobs: BlobStore, options: BlobOptions): Promise<boolean> {
  for await (const { key } of blobs.list('', options)) if (!key.startsWith('changes/')) return false;
  return true;
}

function notMirror(found: StoreFormat, format: StoreFormat, { source, destination }: MirrorOptions): IngotError {
  const what =
    found.follows !== undefined
      ? `a mirror of another store, ${found.follows}`
      : found.detached === undefined
        ? 'a store of its own'
        : `a store of its own since ${found.detached.at}, when it was detached from ${found.detached.from}`;
  return new IngotError('conflict', `${destination.address} is ${what}, not a mirror of ${source.address}`, {
    operation: 'mirror',
    hint: 'mirror to an empty address; nothing was changed',
    details: { source: format.id, destination: found.id },
  });
}

/** One run. */
class Mirroring {
  readonly #options: MirrorOptions;
  readonly #call: BlobOptions;
  readonly #failures: IngotError[] = [];
  readonly #roots: MirrorRoots;
  readonly #copier: PackCopier;
  readonly #planner: Planner;
  readonly #written = new Map<string, { readonly seq: number }>();
  #newEvents = 0;
  #oldEvents = 0;
  #models = 0;
  #missing = { packs: 0, bytes: 0 };

  constructor(options: MirrorOptions, run: string) {
    this.#options = options;
    this.#call = blobOptions(options);
    const { source, destination, onProgress } = options;
    this.#roots = new MirrorRoots(destination, run, this.#call);
    const keep = (packs: readonly string[]): Promise<void> => this.#roots.keep(packs);
    this.#copier = new PackCopier({ source, destination, keep, onProgress, ...this.#call });
    this.#planner = new Planner(options, this.#call);
  }

  get result(): Pick<MirrorResult, 'models' | 'events' | 'packs'> {
    const { packs, bytes } = this.#options.dryRun === true ? this.#missing : this.#copier.copied;
    return {
      models: this.#models,
      events: { new: this.#newEvents, there: this.#oldEvents },
      packs: { new: packs, bytes },
    };
  }

  async run(isNew: boolean): Promise<void> {
    const logs = await this.#compared(isNew);
    const [names, models] = [logs.get(NAMES), [...logs.values()].filter(({ ours }) => ours.prefix !== NAMES)];
    this.#models = models.length;
    const plans = await this.#plans(models);
    const others = await this.#otherRoots();
    const packs = new Set([...plans.flatMap(packsOf), ...others.flatMap((root) => root.packs)]);
    await this.#prepare(packs, isNew);
    if (this.#options.dryRun !== true) {
      await inParallel(plans, LOGS_AT_ONCE, (plan) => this.#orFailed(() => this.#copyModel(plan)));
      for (const root of others) await this.#orFailed(() => this.#copyRoot(root));
    }
    if (names !== undefined) await this.#orFailed(() => this.#copyNames(names));
    if (this.#options.dryRun !== true) await this.#finish(models);
    this.#throwFailures();
  }

  /** The names are listed before the models' logs, so that no name stands in the mirror whose model does not. */
  async #compared(isNew: boolean): Promise<ReadonlyMap<string, ComparedLog>> {
    const { source, destination } = this.#options;
    const theirs = isNew ? new Map<string, ListedLog>() : (await listLogs(destination, this.#call)).logs;
    const ours = await listNamesFirst(source, this.#call);
    const compared = new Map<string, ComparedLog>();
    const differing: Divergence[] = [];
    const prefixes = [...new Set([...ours.keys(), ...theirs.keys()])].filter((prefix) => this.#isWanted(prefix));
    await inParallel(prefixes, COMPARED_AT_ONCE, async (prefix) => {
      const log = theirs.get(prefix) ?? noLog(prefix);
      const there = (log.missing[0] ?? log.length + 1) - 1;
      const last = await compareLast(this.#options, { prefix, there }, this.#call);
      if (last !== null && typeof last === 'object') differing.push(last);
      else compared.set(prefix, { ours: atLeast(ours.get(prefix) ?? noLog(prefix), there), theirs: log, there, last });
    });
    if (differing.length > 0) throw divergedError({ source, destination }, differing);
    return compared;
  }

  #isWanted(prefix: string): boolean {
    const { models } = this.#options;
    return models === undefined || prefix === NAMES || models.has(prefix.slice('models/'.length));
  }

  async #plans(models: readonly ComparedLog[]): Promise<readonly LogPlan[]> {
    const plans: LogPlan[] = [];
    await inParallel(models, LOGS_AT_ONCE, (model) =>
      this.#orFailed(async () => {
        const { ours, there, last } = model;
        this.#oldEvents += there;
        if (ours.length === there) return;
        const plan = await this.#whileItChanges(ours, (log) => this.#planner.plan(log, there, last));
        plans.push(plan);
        if (this.#options.dryRun === true) this.#newEvents += plan.events.count;
      }),
    );
    return plans;
  }

  /** Sees to it that what is needed stays in the destination, and only then looks what of it is there. */
  async #prepare(packs: ReadonlySet<string>, isNew: boolean): Promise<void> {
    if (packs.size === 0) return;
    if (this.#options.dryRun !== true) await this.#roots.keep(packs);
    if (!isNew) await this.#copier.survey();
    this.#missing = await this.#copier.missing(packs);
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
  async #whileItChanges<T>(listed: ListedLog, work: (log: ListedLog) => Promise<T>): Promise<T> {
    let log = listed;
    for (let round = 1; ; round += 1) {
      try {
        return await work(log);
      } catch (error) {
        if (!isIngotError(error, 'content-not-found') || round === MOST_ROUNDS) throw error;
        const again = await this.#listAgain(log);
        if (again.length === log.length) throw error;
        log = again;
      }
    }
  }

  async #listAgain({ prefix }: ListedLog): Promise<ListedLog> {
    const { source } = this.#options;
    const { logs } = await listLogs(
      { list: (part, more) => (part === 'models/' ? source.list(`${prefix}/`, more) : noEntries()) },
      this.#call,
    );
    return logs.get(prefix) ?? noLog(prefix);
  }

  async #copyModel(planned: LogPlan): Promise<void> {
    let plan = planned;
    await this.#whileItChanges(plan.log, async (log) => {
      if (log !== plan.log) plan = await this.#planAgain(log);
      for (const slice of plan.slices) await this.#copySlice(plan, slice);
    });
  }

  /** What is left of a log that has grown meanwhile. */
  async #planAgain(log: ListedLog): Promise<LogPlan> {
    const { destination } = this.#options;
    const { logs } = await listLogs(
      { list: (part, more) => (part === 'models/' ? destination.list(`${log.prefix}/`, more) : noEntries()) },
      this.#call,
    );
    const there = logs.get(log.prefix)?.length ?? 0;
    const last = await compareLast(this.#options, { prefix: log.prefix, there }, this.#call);
    if (last !== null && typeof last === 'object') throw divergedError(this.#options, [last]);
    const plan = await this.#planner.plan(log, there, last);
    const packs = packsOf(plan);
    await this.#roots.keep(packs);
    await this.#copier.survey();
    await this.#copier.missing(packs);
    return plan;
  }

  async #copySlice(plan: LogPlan, { from, to, packs }: Slice): Promise<void> {
    const { destination } = this.#options;
    await settled(packs.map((pack) => this.#copier.copy(pack)));
    await this.#roots.checkStanding();
    await this.#refuseDetached();
    for await (const event of plan.events.events(from, to, this.#call)) {
      await putExactly(destination, event, this.#call);
      this.#newEvents += 1;
    }
    this.#written.set(plan.log.prefix, { seq: to });
  }

  /** Who makes the mirror a store of its own must not get events from here any more. */
  async #refuseDetached(): Promise<void> {
    const { source, destination } = this.#options;
    const format = await openStore(destination, this.#call);
    if (format.follows === undefined) throw notMirror(format, await openStore(source, this.#call), this.#options);
  }

  async #copyNames({ ours, there, last }: ComparedLog): Promise<void> {
    this.#oldEvents += there;
    if (ours.length === there) return;
    const plan = await this.#planner.plan(ours, there, last);
    if (this.#options.dryRun === true) this.#newEvents += plan.events.count;
    else for (const slice of plan.slices) await this.#copySlice(plan, slice);
    if (this.#options.dryRun !== true) await this.#copyCaches({ ours, theirs: noLog(ours.prefix) }, ours.length);
  }

  async #finish(models: readonly ComparedLog[]): Promise<void> {
    await inParallel(models, LOGS_AT_ONCE, async (model) => {
      const written = this.#written.get(model.ours.prefix)?.seq;
      if (written !== undefined) await this.#copyCaches(model, written);
    });
    await this.#roots.release();
    await this.#roots.dropAbandoned();
  }

  /** Heads and segments only save reading: without the newest of them a long log would be read event by event. */
  async #copyCaches({ ours, theirs }: Pick<ComparedLog, 'ours' | 'theirs'>, length: number): Promise<void> {
    const { source, destination } = this.#options;
    const have = new Set([...theirs.heads, ...theirs.segments]);
    const fits = (key: string): boolean => Number(/(\d{10})\.json$/.exec(key)?.[1]) <= length;
    for (const key of [...ours.segments.filter(fits), ...ours.heads.filter(fits).slice(-1)]) {
      if (have.has(key)) continue;
      const bytes = await readIfPresent(source, key, this.#call);
      if (bytes !== undefined) await destination.write(key, bodyOf(bytes), this.#call);
    }
  }

  /** Roots that stand for something lasting, with the packs they name. */
  async #otherRoots(): Promise<readonly OtherRoot[]> {
    const { source, models } = this.#options;
    const found: OtherRoot[] = [];
    if (models !== undefined) return found;
    for await (const { key } of source.list(ROOTS_PREFIX, this.#call)) {
      const bytes = PASSING.test(key) ? undefined : await readIfPresent(source, key, this.#call);
      if (bytes !== undefined) found.push({ key, bytes, packs: parseRoot(bytes, key).filter(isPackId) });
    }
    return found;
  }

  async #copyRoot({ key, bytes, packs }: OtherRoot): Promise<void> {
    await settled(packs.map((pack) => this.#copier.copy(pack)));
    await this.#options.destination.write(key, bodyOf(bytes), this.#call);
  }

  #throwFailures(): void {
    const [first] = this.#failures;
    if (first === undefined) return;
    const others = this.#failures.length - 1;
    const rest = others === 0 ? '' : ` (and ${others} more)`;
    throw new IngotError(first.code, `not all was mirrored: ${first.message}${rest}`, {
      operation: 'mirror',
      ...(first.hint === undefined ? {} : { hint: first.hint }),
      details: { ...first.details, failures: this.#failures.map(({ code, message }) => ({ code, message })) },
      cause: first,
    });
  }
}

interface OtherRoot {
  readonly key: string;
  readonly bytes: Buffer;
  readonly packs: readonly string[];
}

function packsOf({ slices }: LogPlan): readonly string[] {
  return slices.flatMap(({ packs }) => packs);
}

/** Waits for all, also when one fails: nothing goes on behind one's back. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

async function listNamesFirst(source: BlobStore, options: BlobOptions): Promise<ListedLogs['logs']> {
  const names = await listLogs({ list: (part, more) => only('names/', part, source, more) }, options);
  const models = await listLogs({ list: (part, more) => only('models/', part, source, more) }, options);
  return new Map([...models.logs, ...names.logs]);
}

function only(wanted: string, part: string, blobs: BlobStore, more: Parameters<BlobStore['list']>[1]) {
  return part === wanted ? blobs.list(part, more) : noEntries();
}

async function* noEntries(): AsyncGenerator<never> {}

function noLog(prefix: string): ListedLog {
  return { prefix, length: 0, missing: [], heads: [], segments: [] };
}

/** A log is as long as what both have of it, also when a listing did not show its last events yet. */
function atLeast(log: ListedLog, length: number): ListedLog {
  return log.length >= length ? log : { ...log, length };
}

function blobOptions({ signal }: { readonly signal?: AbortSignal }): BlobOptions {
  return signal ? { signal } : {};
}
