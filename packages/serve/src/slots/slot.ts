import { IngotError, isIngotError } from '@ingot/core/errors';
import type { Predictor, ResolvedModel, ServablePackage } from '@ingot/core/serving/runtime';
import type { Clock } from '../clock.ts';
import type { Lease, ServedVersion, SlotState } from '../model-host.ts';
import { versionOf } from './slot-errors.ts';

/** What a slot's loader brings: the package and its predictor, warmed. */
export interface Loaded {
  readonly model: ServablePackage;
  readonly predictor: Predictor;
}

/** Brings a version into memory. */
export type LoadVersion = (resolved: ResolvedModel, signal: AbortSignal) => Promise<Loaded>;

/**
 * Where one version of a model sits, loaded or not. Requests hold leases on it; what is unloaded stays until its last
 * lease ends.
 */
export class Slot {
  readonly resolved: ResolvedModel;
  /** Sources that name this version now, in the order of configuration. */
  sources: readonly string[] = [];
  /** ISO 8601 time since when the store has not answered for it. */
  staleSince: string | undefined;
  readonly #clock: Clock;
  readonly #load: LoadVersion;
  #loaded: Loaded | undefined;
  #last: Loaded | undefined;
  #loading: Promise<void> | undefined;
  #abort: AbortController | undefined;
  #leases = 0;
  #usedAt = 0;
  #state: SlotState = 'UNAVAILABLE';
  #reason: string | undefined = 'not loaded yet';
  #loadedAt: string | undefined;
  #drained: () => void = () => {};
  #view: ServedVersion | undefined;

  constructor(resolved: ResolvedModel, load: LoadVersion, clock: Clock) {
    this.resolved = resolved;
    this.#load = load;
    this.#clock = clock;
  }

  /** Whether it answers now. */
  get isLoaded(): boolean {
    return this.#loaded !== undefined;
  }

  /** How many requests hold it. */
  get leases(): number {
    return this.#leases;
  }

  /** When it was last leased, in milliseconds since the epoch. */
  get usedAt(): number {
    return this.#usedAt;
  }

  /** Memory it holds, where its runtime knows. */
  get memoryBytes(): number {
    return this.#loaded?.predictor.memoryBytes?.() ?? 0;
  }

  /** The version as the protocols show it. The same object until something changes. */
  get served(): ServedVersion {
    this.#view ??= this.#describe();
    return this.#view;
  }

  /** A hold on it, or undefined when it is not loaded. */
  lease(): Lease | undefined {
    const loaded = this.#loaded;
    if (loaded === undefined) return undefined;
    this.#leases++;
    this.#usedAt = this.#clock.now();
    return new SlotLease(this.served, loaded.predictor, this.#release);
  }

  /** Loads it, once however many ask. Rejects with why it could not be loaded; that also stays in `served.reason`. */
  load(): Promise<void> {
    if (this.#loaded !== undefined) return Promise.resolve();
    this.#loading ??= this.#begin().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Gives up a load in progress. */
  cancel(): void {
    this.#abort?.abort();
  }

  /** Takes it out of service and disposes the predictor when its last lease has ended, or after `waitMs`. */
  async unload(reason: string, waitMs = 60_000): Promise<void> {
    this.cancel();
    await this.#loading?.catch(() => {}); // its failure is in `reason` already
    const loaded = this.#loaded;
    if (loaded === undefined) return;
    this.#loaded = undefined;
    this.#become('UNLOADING', reason);
    await this.#untilDrained(waitMs);
    await loaded.predictor[Symbol.asyncDispose]();
    if (this.#state === 'UNLOADING') this.#become('UNAVAILABLE', reason);
  }

  /** Says that what `served` shows has changed. */
  touch(): void {
    this.#view = undefined;
  }

  async #begin(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#become('LOADING', undefined);
    try {
      const loaded = await this.#load(this.resolved, abort.signal);
      this.#loaded = loaded;
      this.#last = loaded;
      this.#usedAt = this.#clock.now();
      this.#loadedAt = new Date(this.#clock.now()).toISOString();
      this.#become('READY', undefined);
    } catch (error) {
      const named = this.#named(error);
      this.#become('UNAVAILABLE', named.message);
      throw named;
    } finally {
      this.#abort = undefined;
    }
  }

  #named(error: unknown): IngotError {
    const model = this.resolved.model;
    const version = versionOf(this.resolved);
    if (!isIngotError(error)) {
      const said = error instanceof Error ? error.message : String(error);
      return new IngotError('unexpected', `${model}:${version} could not be loaded: ${said}`, { cause: error });
    }
    const { code, message, hint, nearest, details, retryable, operation } = error;
    const options = { hint, nearest, details, retryable, operation, cause: error };
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    return new IngotError(code, `${model}:${version}: ${message}`, given);
  }

  #become(state: SlotState, reason: string | undefined): void {
    this.#state = state;
    this.#reason = reason;
    this.touch();
  }

  readonly #release = (): void => {
    this.#leases--;
    if (this.#leases === 0) this.#drained();
  };

  #untilDrained(waitMs: number): Promise<void> {
    if (this.#leases === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(waitMs, resolve);
      this.#drained = () => {
        cancel();
        resolve();
      };
    });
  }

  #describe(): ServedVersion {
    const { model, label, digest } = this.resolved;
    const last = this.#loaded ?? this.#last;
    const signature = last?.predictor.signature ?? last?.model.signature;
    return {
      model,
      version: versionOf(this.resolved),
      digest,
      sources: this.sources,
      state: this.#state,
      platform: last?.predictor.platform ?? '',
      flavor: last?.model.flavor ?? '',
      ...(label !== undefined && { label }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(signature && { signature }),
      ...(last?.model.example && { example: last.model.example }),
      ...(last?.model.description !== undefined && { description: last.model.description }),
      ...(this.#loaded && this.#loadedAt !== undefined && { loadedAt: this.#loadedAt }),
      ...(this.staleSince !== undefined && { staleSince: this.staleSince }),
    };
  }
}

class SlotLease implements Lease {
  readonly served: ServedVersion;
  readonly predictor: Predictor;
  #release: (() => void) | undefined;

  constructor(served: ServedVersion, predictor: Predictor, release: () => void) {
    this.served = served;
    this.predictor = predictor;
    this.#release = release;
  }

  [Symbol.dispose](): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}
