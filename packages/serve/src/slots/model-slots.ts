/**
 * A *slot* is where a loaded version sits; a *lease* is a request's hold on it. A *source* (`churn@production`) names a
 * version; the slots follow their sources: when one names another version, that is loaded and warmed first, then takes over
 * at once, and the old one goes when its last lease ends.
 */

import { setMaxListeners } from 'node:events';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import type { ModelSource, ResolvedModel } from '@ingot/core/serving/runtime';
import { type Clock, pause } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Lease, ModelHost, ServedVersion } from '../model-host.ts';
import { Traffic } from '../traffic/traffic.ts';
import { Backoff } from './backoff.ts';
import { chooseEvictions } from './eviction.ts';
import { type FollowedSource, refersTo } from './followed-source.ts';
import { type LoadVersion, Slot } from './slot.ts';

/** How the slots behave. */
export interface ModelSlotsOptions {
  readonly source: ModelSource;
  /** What to serve, in order: the first source of a name is its default. */
  readonly sources: readonly string[];
  readonly loadVersion: LoadVersion;
  /** `start`: load everything before being ready. `on-demand`: load what is asked for. */
  readonly load: 'start' | 'on-demand';
  /** Unload the longest unused versions above this; undefined: never. */
  readonly memoryLimitBytes?: number | undefined;
  /** How often each source is resolved again. */
  readonly followIntervalMs: number;
  /** How long closing waits for running requests. */
  readonly drainMs: number;
  readonly clock: Clock;
  /** A number in [0, 1), to keep the sources' rhythms apart. */
  readonly random: () => number;
  readonly log: Log;
}

/** The loaded versions of a server. */
export class ModelSlots implements ModelHost, AsyncDisposable {
  readonly #options: ModelSlotsOptions;
  readonly #followed: FollowedSource[] = [];
  readonly #versions = new Map<string, Map<string, Slot>>();
  readonly #traffic = new Traffic<Slot>();
  readonly #backoff: Backoff;
  readonly #evicted = new Set<Slot>();
  readonly #unloadedModels = new Set<string>();
  readonly #bringing = new Map<Slot, Promise<void>>();
  readonly #leaving = new Map<Slot, Promise<void>>();
  readonly #closing = new AbortController();
  #started = false;

  constructor(options: ModelSlotsOptions) {
    this.#options = options;
    // Each source waits on it, and there may be many.
    setMaxListeners(0, this.#closing.signal);
    this.#backoff = new Backoff(options.clock);
  }

  /**
   * Resolves all sources, loads them unless they are loaded on demand, and begins to follow them.
   * @throws IngotError whatever keeps the first unusable source from being served.
   */
  async start(): Promise<void> {
    const { source, sources, load } = this.#options;
    const { signal } = this.#closing;
    const resolved = await Promise.all(sources.map((name) => source.resolve(name, { signal })));
    for (const version of resolved) this.#follow(version);
    this.#reroute();
    if (load === 'start') await this.#loadAll();
    this.#started = true;
    for (const followed of this.#followed) void this.#watch(followed);
  }

  ready(): boolean {
    return this.#started && (this.#options.load === 'on-demand' || this.#followed.every(({ wasReady }) => wasReady));
  }

  index(): readonly ServedVersion[] {
    const slots = [...this.#slots(), ...this.#leaving.keys()];
    const served = [...new Set(slots)].map((slot) => slot.served);
    return served.sort((a, b) =>
      a.model < b.model ? -1 : a.model > b.model ? 1 : Number(a.version) - Number(b.version),
    );
  }

  models(): readonly string[] {
    return [...new Set(this.#followed.map(({ slot }) => slot.resolved.model))];
  }

  lease(model: string, version?: string, options: { readonly signal?: AbortSignal } = {}): Lease | Promise<Lease> {
    const slot = version === undefined ? this.#traffic.route(model) : this.#versions.get(model)?.get(version);
    return slot?.lease() ?? this.#leaseUnloaded(model, version, slot, options.signal);
  }

  async load(model: string): Promise<void> {
    const followed = this.#configured(model);
    this.#unloadedModels.delete(model);
    for (const state of followed) {
      const resolved = await this.#options.source.resolve(state.source, { signal: this.#closing.signal });
      const slot = this.#slotFor(resolved);
      this.#backoff.clear(keyOf(resolved));
      state.target = slot;
      await this.#bring(slot);
      this.#takeOver(state, slot);
    }
  }

  async unload(model: string): Promise<void> {
    this.#configured(model);
    this.#unloadedModels.add(model);
    const slots = [...(this.#versions.get(model)?.values() ?? [])];
    await Promise.all(slots.map((slot) => slot.unload('unloaded by request', this.#options.drainMs)));
  }

  /** Stops following, lets running requests end, and disposes every predictor. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const { drainMs } = this.#options;
    await Promise.all([...this.#slots()].map((slot) => slot.unload('the server is stopping', drainMs)));
    await Promise.all(this.#leaving.values());
  }

  // --- leases

  #leaseUnloaded(
    model: string,
    version: string | undefined,
    slot: Slot | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Lease> {
    const configured = this.#configured(model);
    const wanted = slot ?? this.#byLabel(model, version);
    if (wanted === undefined) throw this.#unknownVersion(model, version);
    const lease = wanted.lease();
    if (lease !== undefined) return Promise.resolve(lease);
    const loadable = this.#options.load === 'on-demand' || this.#evicted.has(wanted);
    const answers = configured.some((state) => state.slot === wanted);
    if (!loadable || !answers || this.#unloadedModels.has(model)) throw notReady(wanted);
    return this.#loadAndLease(wanted, signal);
  }

  async #loadAndLease(slot: Slot, signal: AbortSignal | undefined): Promise<Lease> {
    try {
      await giveUpWhen(signal, this.#bring(slot));
    } catch (error) {
      throw isIngotError(error, 'interrupted') ? error : asNotReady(error);
    }
    const lease = slot.lease();
    if (lease === undefined) throw notReady(slot);
    return lease;
  }

  #byLabel(model: string, version: string | undefined): Slot | undefined {
    const slots = [...(this.#versions.get(model)?.values() ?? [])];
    return version === undefined ? undefined : slots.find(({ resolved }) => resolved.label === version);
  }

  #configured(model: string): readonly FollowedSource[] {
    const configured = this.#followed.filter(({ slot }) => slot.resolved.model === model);
    if (configured.length > 0) return configured;
    const served = this.models();
    const meant = nearest(model, served);
    throw new IngotError(
      'model-not-found',
      `no model "${model.slice(0, 200)}" is served here; served: ${served.join(', ')}`,
      {
        ...(meant !== undefined && { nearest: meant }),
        details: { served: [...served] },
      },
    );
  }

  #unknownVersion(model: string, version: string | undefined): IngotError {
    const served = [...(this.#versions.get(model)?.keys() ?? [])];
    const text = `version "${(version ?? '').slice(0, 200)}" of "${model}" is not served here; served: ${served.join(', ')}`;
    return new IngotError('version-not-found', text, { details: { served } });
  }

  // --- loading

  #follow(resolved: ResolvedModel): void {
    this.#followed.push({
      source: resolved.source,
      slot: this.#slotFor(resolved),
      target: undefined,
      failed: undefined,
      staleSince: resolved.staleSince,
      complaint: undefined,
      wasReady: false,
    });
  }

  async #loadAll(): Promise<void> {
    const slots = [...new Set(this.#followed.map(({ slot }) => slot))];
    const outcomes = await Promise.allSettled(slots.map((slot) => this.#bring(slot)));
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    for (const reason of reasons.slice(1)) this.#options.log('error', messageOf(reason));
    if (reasons.length > 0) throw reasons[0];
  }

  /** Loads a version unless it is loaded or failed a moment ago, once however many ask; then makes room for it. */
  #bring(slot: Slot): Promise<void> {
    const running = this.#bringing.get(slot);
    if (running !== undefined) return running;
    const begun = this.#bringOnce(slot).finally(() => this.#bringing.delete(slot));
    this.#bringing.set(slot, begun);
    return begun;
  }

  async #bringOnce(slot: Slot): Promise<void> {
    const key = keyOf(slot.resolved);
    const failure = this.#backoff.tooEarly(key);
    if (failure !== undefined) throw asNotReady(failure);
    try {
      await slot.load();
    } catch (error) {
      if (isIngotError(error, 'interrupted')) throw error;
      const delayMs = this.#backoff.failed(key, error);
      // While starting, a failure ends the server and is told there.
      const willRetry = this.#started || this.#options.load === 'on-demand';
      if (willRetry)
        this.#options.log('error', `${messageOf(error)}; trying again in ${delayMs / 1000} s at the earliest`);
      throw error;
    }
    this.#backoff.clear(key);
    this.#evicted.delete(slot);
    for (const followed of this.#followed) if (followed.slot === slot) followed.wasReady = true;
    this.#makeRoom(slot);
  }

  #makeRoom(kept: Slot): void {
    const { memoryLimitBytes, log } = this.#options;
    if (memoryLimitBytes === undefined) return;
    for (const slot of chooseEvictions(this.#slots(), memoryLimitBytes, kept)) {
      const reason = `unloaded to keep memory under ${Math.round(memoryLimitBytes / 2 ** 20)} MiB`;
      log('info', `${nameOf(slot)} ${reason}`);
      this.#evicted.add(slot);
      void slot.unload(reason);
    }
  }

  *#slots(): Generator<Slot> {
    for (const versions of this.#versions.values()) yield* versions.values();
  }

  #slotFor(resolved: ResolvedModel): Slot {
    const versions = this.#versions.get(resolved.model) ?? new Map<string, Slot>();
    this.#versions.set(resolved.model, versions);
    const known = versions.get(String(resolved.number));
    if (known !== undefined && keyOf(known.resolved) === keyOf(resolved)) return known;
    const slot = new Slot(resolved, this.#options.loadVersion, this.#options.clock);
    versions.set(String(resolved.number), slot);
    return slot;
  }

  /** Brings the defaults, and what each version says about its sources, up to date. */
  #reroute(): void {
    const defaults = new Map<string, Slot>();
    for (const { slot } of this.#followed) {
      if (!defaults.has(slot.resolved.model)) defaults.set(slot.resolved.model, slot);
    }
    for (const [model, slot] of defaults) this.#traffic.point(model, slot);
    for (const slot of this.#slots()) {
      const followed = this.#followed.filter((state) => state.slot === slot);
      slot.sources = followed.map(({ source }) => source);
      slot.staleSince = followed
        .map(({ staleSince }) => staleSince)
        .filter((since) => since !== undefined)
        .sort()[0];
      slot.touch();
    }
  }

  // --- following

  async #watch(followed: FollowedSource): Promise<void> {
    const { clock, followIntervalMs, random } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await pause(clock, followIntervalMs * (0.8 + 0.4 * random()), signal);
      if (!signal.aborted) await this.#look(followed, signal);
    }
  }

  async #look(followed: FollowedSource, signal: AbortSignal): Promise<void> {
    try {
      const resolved = await this.#options.source.resolve(followed.source, { signal });
      if (signal.aborted) return;
      this.#noteAnswer(followed, resolved.staleSince);
      this.#want(followed, resolved);
    } catch (error) {
      if (!signal.aborted) this.#noteOutage(followed, error);
    }
  }

  #noteAnswer(followed: FollowedSource, staleSince: string | undefined): void {
    if (followed.staleSince !== staleSince) {
      const said = staleSince === undefined ? 'answers again' : `has not answered since ${staleSince}; serving on`;
      this.#options.log(staleSince === undefined ? 'info' : 'warn', `the store of ${followed.source} ${said}`);
      followed.staleSince = staleSince;
      this.#reroute();
    }
    followed.complaint = undefined;
  }

  #noteOutage(followed: FollowedSource, error: unknown): void {
    const complaint = `${followed.source} cannot be resolved, its last version answers on: ${messageOf(error)}`;
    if (followed.complaint !== complaint) this.#options.log('warn', complaint);
    followed.complaint = complaint;
    if (followed.staleSince !== undefined) return;
    followed.staleSince = new Date(this.#options.clock.now()).toISOString();
    this.#reroute();
  }

  /** Acts on what a source names now. */
  #want(followed: FollowedSource, resolved: ResolvedModel): void {
    const key = keyOf(resolved);
    if (key === keyOf(followed.slot.resolved)) {
      this.#settle(followed);
      return;
    }
    if (followed.target !== undefined && key === keyOf(followed.target.resolved)) return;
    if (this.#backoff.tooEarly(key) !== undefined) return;
    const slot = this.#slotFor(resolved);
    const previous = followed.target;
    followed.target = slot;
    if (previous !== undefined) this.#dropUnused(previous);
    if (!followed.slot.isLoaded || this.#unloadedModels.has(resolved.model)) {
      this.#takeOver(followed, slot);
      return;
    }
    this.#bring(slot).then(
      () => this.#takeOver(followed, slot),
      (error: unknown) => this.#couldNotTakeOver(followed, slot, error),
    );
  }

  /** The source names what answers already: nothing else is wanted any more. */
  #settle(followed: FollowedSource): void {
    const unwanted = [followed.target, followed.failed];
    followed.target = undefined;
    followed.failed = undefined;
    for (const slot of unwanted) if (slot !== undefined) this.#dropUnused(slot);
  }

  #takeOver(followed: FollowedSource, slot: Slot): void {
    if (followed.target !== slot) {
      this.#dropUnused(slot);
      return;
    }
    const old = followed.slot;
    followed.slot = slot;
    if (slot.isLoaded) followed.wasReady = true;
    this.#settle(followed);
    this.#reroute();
    if (old === slot) return;
    this.#options.log('info', `${followed.source} is now version ${slot.resolved.number}, was ${old.resolved.number}`);
    this.#dropUnused(old);
  }

  #couldNotTakeOver(followed: FollowedSource, slot: Slot, error: unknown): void {
    if (followed.target !== slot) {
      this.#dropUnused(slot);
      return;
    }
    followed.target = undefined;
    if (isIngotError(error, 'interrupted')) {
      this.#dropUnused(slot);
      return;
    }
    const failedBefore = followed.failed;
    followed.failed = slot;
    if (failedBefore !== undefined) this.#dropUnused(failedBefore);
    const { number } = followed.slot.resolved;
    this.#options.log('error', `${followed.source} stays on version ${number}: ${messageOf(error)}`);
  }

  #dropUnused(slot: Slot): void {
    if (this.#followed.some((followed) => refersTo(followed, slot))) return;
    const versions = this.#versions.get(slot.resolved.model);
    const key = String(slot.resolved.number);
    if (versions?.get(key) === slot) versions.delete(key);
    this.#evicted.delete(slot);
    const gone = slot.unload('no source names it any more').finally(() => this.#leaving.delete(slot));
    this.#leaving.set(slot, gone);
  }
}

function keyOf({ modelId, number, digest }: ResolvedModel): string {
  return `${modelId}:${number}@${digest}`;
}

function nameOf({ resolved }: Slot): string {
  return `${resolved.model}:${resolved.number}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function notReady(slot: Slot): IngotError {
  const { state, reason } = slot.served;
  const why = reason ?? (state === 'LOADING' ? 'it is loading' : state.toLowerCase());
  return new IngotError(
    'model-not-ready',
    why.startsWith(nameOf(slot)) ? why : `${nameOf(slot)} is not loaded: ${why}`,
  );
}

function asNotReady(error: unknown): IngotError {
  const hint = isIngotError(error) ? error.hint : undefined;
  return new IngotError('model-not-ready', messageOf(error), { cause: error, ...(hint !== undefined && { hint }) });
}

/** Waits for `work`, or rejects when the signal is aborted; the work goes on. */
function giveUpWhen(signal: AbortSignal | undefined, work: Promise<void>): Promise<void> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new IngotError('interrupted', 'the caller gave up waiting'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
