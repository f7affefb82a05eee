/**
 * A *mirror* is a store that follows another: the same events and packs, byte for byte, and no writes of its own. A
 * *mirroring* copies what is missing: contents first, then each model's events in their order, the names last. So the
 * mirror is whole at every moment, and one that was cut short goes on where it was.
 */

import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf } from './blob/bytes.ts';
import { openStore } from './content/store-format.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { IngotError, isIngotError } from './errors.ts';
import { copyCaches, type LastingRoot, readLastingRoots } from './mirror-besides.ts';
import { type ComparedLog, compareLogs, listLog, NAMES } from './mirror-compare.ts';
import { compareLast, divergedError, putExactly } from './mirror-logs.ts';
import { openMirror, refuseDetached } from './mirror-open.ts';
import { PackCopier } from './mirror-packs.ts';
import { type LogPlan, Planner, type Slice } from './mirror-plan.ts';
import { MirrorRoots } from './mirror-roots.ts';
import type { OnProgress } from './progress.ts';
import type { ListedLog } from './registry/care-logs.ts';
import { throwMirrorFailures } from './mirror-failures.ts';

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

const LOGS_AT_ONCE = 8;
const MOST_ROUNDS = 5;

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
  const isNew = await openMirror(format, options, blobOptions(options));
  const mirroring = new Mirroring(options, (options.randomId ?? (() => randomBytes(16).toString('hex')))());
  await mirroring.run(isNew);
  return { source: source.address, destination: destination.address, store: format.id, dryRun, ...mirroring.result };
}

/** One run. */
class Mirroring {
  readonly #options: MirrorOptions;
  readonly #call: BlobOptions;
  readonly #failures: IngotError[] = [];
  readonly #roots: MirrorRoots;
  readonly #copier: PackCopier;
  readonly #planner: Planner;
  /** Last event that was copied, by log. */
  readonly #written = new Map<string, number>();
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
    const logs = await compareLogs(this.#options, { ...this.#call, models: this.#options.models, isNew });
    const [names, models] = [logs.get(NAMES), [...logs.values()].filter(({ ours }) => ours.prefix !== NAMES)];
    this.#models = models.length;
    const plans = await this.#plans(models);
    const others = this.#options.models === undefined ? await readLastingRoots(this.#options.source, this.#call) : [];
    const packs = new Set([...plans.flatMap(packsOf), ...others.flatMap((root) => root.packs)]);
    await this.#prepare(packs, isNew);
    if (this.#options.dryRun !== true) {
      await inParallel(plans, LOGS_AT_ONCE, (plan) => this.#orFailed(() => this.#copyModel(plan)));
      for (const root of others) await this.#orFailed(() => this.#copyRoot(root));
    }
    if (names !== undefined) await this.#orFailed(() => this.#copyNames(names));
    if (this.#options.dryRun !== true) await this.#finish(models);
    throwMirrorFailures(this.#failures);
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
        const again = await listLog(this.#options.source, log.prefix, this.#call);
        if (again.length === log.length) throw error;
        log = again;
      }
    }
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
    const there = (await listLog(this.#options.destination, log.prefix, this.#call)).length;
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
    await refuseDetached(this.#options, this.#call);
    for await (const event of plan.events.events(from, to, this.#call)) {
      await putExactly(destination, event, this.#call);
      this.#newEvents += 1;
    }
    this.#written.set(plan.log.prefix, to);
  }

  async #copyNames({ ours, there, last }: ComparedLog): Promise<void> {
    this.#oldEvents += there;
    if (ours.length === there) return;
    const plan = await this.#planner.plan(ours, there, last);
    if (this.#options.dryRun === true) this.#newEvents += plan.events.count;
    else for (const slice of plan.slices) await this.#copySlice(plan, slice);
    if (this.#options.dryRun !== true) await copyCaches(this.#options, { ours, upTo: ours.length }, this.#call);
  }

  async #finish(models: readonly ComparedLog[]): Promise<void> {
    await inParallel(models, LOGS_AT_ONCE, async (model) => {
      const written = this.#written.get(model.ours.prefix);
      if (written !== undefined) await copyCaches(this.#options, { ...model, upTo: written }, this.#call);
    });
    await this.#roots.release();
    await this.#roots.dropAbandoned();
  }

  async #copyRoot({ key, bytes, packs }: LastingRoot): Promise<void> {
    await settled(packs.map((pack) => this.#copier.copy(pack)));
    await this.#options.destination.write(key, bodyOf(bytes), this.#call);
  }
}

function packsOf({ slices }: LogPlan): readonly string[] {
  return slices.flatMap(({ packs }) => packs);
}

/** Waits for all, also when one fails: nothing goes on behind one's back. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

function blobOptions({ signal }: { readonly signal?: AbortSignal }): BlobOptions {
  return signal ? { signal } : {};
}
