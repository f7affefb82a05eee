/**
 * A *slot* is where a loaded version sits; a *lease* is a request's hold on it. A *source* (`churn@production`) names a
 * version; the slots follow their sources: when one names another version, that is loaded and warmed first, then takes over
 * at once, and the old one goes when its last lease ends.
 */

import { setMaxListeners } from 'node:events';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import type { ModelSource } from '@ingot/core/serving/runtime';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Lease, ModelHost, ServedVersion } from '../model-host.ts';
import { Traffic } from '../traffic/traffic.ts';
import type { FollowedSource } from './followed-source.ts';
import { Follower } from './follower.ts';
import type { LoadVersion, Slot } from './slot.ts';
import { asNotReady, messageOf, notReady } from './slot-errors.ts';
import { Versions } from './versions.ts';

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
  readonly #versions: Versions;
  readonly #follower: Follower;
  readonly #traffic = new Traffic<Slot>();
  readonly #unloadedModels = new Set<string>();
  readonly #closing = new AbortController();
  #started = false;

  constructor(options: ModelSlotsOptions) {
    this.#options = options;
    // Each source waits on it, and there may be many.
    setMaxListeners(0, this.#closing.signal);
    const { source, clock, random, log, followIntervalMs: intervalMs } = options;
    const onLoaded = (slot: Slot): void => {
      for (const followed of this.#follower.sources) if (followed.slot === slot) followed.wasReady = true;
    };
    this.#versions = new Versions({
      ...options,
      onLoaded,
      willRetry: () => this.#started || options.load === 'on-demand',
    });
    this.#follower = new Follower({
      source,
      versions: this.#versions,
      intervalMs,
      clock,
      random,
      log,
      isUnloaded: (model) => this.#unloadedModels.has(model),
      onChange: () => this.#reroute(),
    });
  }

  /**
   * Resolves all sources, loads them unless they are loaded on demand, and begins to follow them.
   * @throws IngotError whatever keeps the first unusable source from being served.
   */
  async start(): Promise<void> {
    const { source, sources, load } = this.#options;
    const { signal } = this.#closing;
    const resolved = await Promise.all(sources.map((name) => source.resolve(name, { signal })));
    for (const version of resolved) this.#follower.add(version);
    this.#reroute();
    if (load === 'start') await this.#loadAll();
    this.#started = true;
    this.#follower.start(signal);
  }

  ready(): boolean {
    return (
      this.#started && (this.#options.load === 'on-demand' || this.#follower.sources.every(({ wasReady }) => wasReady))
    );
  }

  index(): readonly ServedVersion[] {
    const slots = [...this.#versions.all(), ...this.#versions.leaving()];
    const served = [...new Set(slots)].map((slot) => slot.served);
    return served.sort((a, b) => (a.model < b.model ? -1 : a.model > b.model ? 1 : byVersion(a.version, b.version)));
  }

  models(): readonly string[] {
    return [...new Set(this.#follower.sources.map(({ slot }) => slot.resolved.model))];
  }

  lease(model: string, version?: string, options: { readonly signal?: AbortSignal } = {}): Lease | Promise<Lease> {
    const slot = version === undefined ? this.#traffic.route(model) : this.#versions.of(model).get(version);
    return slot?.lease() ?? this.#leaseUnloaded(model, version, slot, options.signal);
  }

  async load(model: string): Promise<void> {
    const followed = this.#configured(model);
    this.#unloadedModels.delete(model);
    for (const state of followed) await this.#follower.renew(state, this.#closing.signal);
  }

  async unload(model: string): Promise<void> {
    this.#configured(model);
    this.#unloadedModels.add(model);
    const slots = [...this.#versions.of(model).values()];
    await Promise.all(slots.map((slot) => slot.unload('unloaded by request', this.#options.drainMs)));
  }

  /** Stops following, lets running requests end, and disposes every predictor. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#versions.close(this.#options.drainMs);
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
    const loadable = this.#options.load === 'on-demand' || this.#versions.wasEvicted(wanted);
    const answers = configured.some((state) => state.slot === wanted);
    if (!loadable || !answers || this.#unloadedModels.has(model)) throw notReady(wanted);
    return this.#loadAndLease(wanted, signal);
  }

  async #loadAndLease(slot: Slot, signal: AbortSignal | undefined): Promise<Lease> {
    try {
      await giveUpWhen(signal, this.#versions.bring(slot));
    } catch (error) {
      throw isIngotError(error, 'interrupted') ? error : asNotReady(error);
    }
    const lease = slot.lease();
    if (lease === undefined) throw notReady(slot);
    return lease;
  }

  #byLabel(model: string, version: string | undefined): Slot | undefined {
    const slots = [...this.#versions.of(model).values()];
    return version === undefined ? undefined : slots.find(({ resolved }) => resolved.label === version);
  }

  #configured(model: string): readonly FollowedSource[] {
    const configured = this.#follower.sources.filter(({ slot }) => slot.resolved.model === model);
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
    const served = [...this.#versions.of(model).keys()];
    const text = `version "${(version ?? '').slice(0, 200)}" of "${model}" is not served here; served: ${served.join(', ')}`;
    return new IngotError('version-not-found', text, { details: { served } });
  }

  // --- loading

  async #loadAll(): Promise<void> {
    const slots = [...new Set(this.#follower.sources.map(({ slot }) => slot))];
    const outcomes = await Promise.allSettled(slots.map((slot) => this.#versions.bring(slot)));
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    for (const reason of reasons.slice(1)) this.#options.log('error', messageOf(reason));
    if (reasons.length > 0) throw reasons[0];
  }

  /** Brings the defaults, and what each version says about its sources, up to date. */
  #reroute(): void {
    const defaults = new Map<string, Slot>();
    for (const { slot } of this.#follower.sources) {
      if (!defaults.has(slot.resolved.model)) defaults.set(slot.resolved.model, slot);
    }
    for (const [model, slot] of defaults) this.#traffic.point(model, slot);
    for (const slot of this.#versions.all()) {
      const followed = this.#follower.sources.filter((state) => state.slot === slot);
      slot.sources = followed.map(({ source }) => source);
      slot.staleSince = followed
        .map(({ staleSince }) => staleSince)
        .filter((since) => since !== undefined)
        .sort()[0];
      slot.touch();
    }
  }
}

const VERSIONS = new Intl.Collator('en', { numeric: true });

/** Numbers by their value, and texts with numbers in them as people order them. */
function byVersion(a: string, b: string): number {
  return VERSIONS.compare(a, b);
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
