import { isIngotError } from '@ingot/core/errors';
import type { ResolvedModel } from '@ingot/core/serving/runtime';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { Backoff } from './backoff.ts';
import { chooseEvictions } from './eviction.ts';
import { type LoadVersion, Slot } from './slot.ts';
import { asNotReady, keyOf, messageOf, nameOf, versionOf } from './slot-errors.ts';

/** How versions are kept. */
export interface VersionsOptions {
  readonly loadVersion: LoadVersion;
  /** Unload the longest unused versions above this; undefined: never. */
  readonly memoryLimitBytes?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether what failed is tried again; while starting, a failure ends the server and is told there. */
  readonly willRetry: () => boolean;
  /** Called when a version has been loaded, before room is made for it. */
  readonly onLoaded: (slot: Slot) => void;
}

/** The slots of all versions, loaded or not: loads them, makes room for them, and lets them go. */
export class Versions {
  readonly #options: VersionsOptions;
  readonly #slots = new Map<string, Map<string, Slot>>();
  readonly #backoff: Backoff;
  readonly #evicted = new Set<Slot>();
  readonly #bringing = new Map<Slot, Promise<void>>();
  readonly #leaving = new Map<Slot, Promise<void>>();
  /** Slots that take the place of one that answers to the same version, once they are loaded; by key. */
  readonly #successors = new Map<string, Slot>();

  constructor(options: VersionsOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
  }

  /** All slots in use. */
  *all(): Generator<Slot> {
    for (const versions of this.#slots.values()) yield* versions.values();
    yield* this.#successors.values();
  }

  /** Slots of versions that no source names any more and that still answer their last requests. */
  leaving(): Iterable<Slot> {
    return this.#leaving.keys();
  }

  /** A model's slots by version number. */
  of(model: string): ReadonlyMap<string, Slot> {
    return this.#slots.get(model) ?? NONE;
  }

  /** Whether it was unloaded to make room, so that the next request may load it again. */
  wasEvicted(slot: Slot): boolean {
    return this.#evicted.has(slot);
  }

  /** Whether it failed so recently that it is not tried again yet. */
  isTooEarly(resolved: ResolvedModel): boolean {
    return this.#backoff.tooEarly(keyOf(resolved)) !== undefined;
  }

  /** Forgets that it failed. */
  forgive(resolved: ResolvedModel): void {
    this.#backoff.clear(keyOf(resolved));
  }

  /** The slot of a version, made when there is none. */
  slotFor(resolved: ResolvedModel): Slot {
    const versions = this.#slots.get(resolved.model) ?? new Map<string, Slot>();
    this.#slots.set(resolved.model, versions);
    const key = keyOf(resolved);
    const known = versions.get(versionOf(resolved));
    if (known !== undefined && keyOf(known.resolved) === key) return known;
    const slot = this.#successors.get(key) ?? new Slot(resolved, this.#options.loadVersion, this.#options.clock);
    // A file that is replaced under its name keeps its version: the one that answers goes on answering to it.
    if (known?.isLoaded === true) this.#successors.set(key, slot);
    else versions.set(versionOf(resolved), slot);
    return slot;
  }

  /** Loads a version unless it is loaded or failed a moment ago, once however many ask; then makes room for it. */
  bring(slot: Slot): Promise<void> {
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
      if (this.#options.willRetry())
        this.#options.log('error', `${messageOf(error)}; trying again in ${delayMs / 1000} s at the earliest`);
      throw error;
    }
    this.#backoff.clear(key);
    this.#evicted.delete(slot);
    if (this.#successors.delete(key)) this.#slots.get(slot.resolved.model)?.set(versionOf(slot.resolved), slot);
    this.#options.onLoaded(slot);
    this.#makeRoom(slot);
  }

  #makeRoom(kept: Slot): void {
    const { memoryLimitBytes, log } = this.#options;
    if (memoryLimitBytes === undefined) return;
    for (const slot of chooseEvictions(this.all(), memoryLimitBytes, kept)) {
      const reason = `unloaded to keep memory under ${Math.round(memoryLimitBytes / 2 ** 20)} MiB`;
      log('info', `${nameOf(slot)} ${reason}`);
      this.#evicted.add(slot);
      void slot.unload(reason);
    }
  }

  /** Takes a version out of service; it goes when its last lease ends. */
  drop(slot: Slot): void {
    const versions = this.#slots.get(slot.resolved.model);
    const key = versionOf(slot.resolved);
    if (versions?.get(key) === slot) versions.delete(key);
    if (this.#successors.get(keyOf(slot.resolved)) === slot) this.#successors.delete(keyOf(slot.resolved));
    this.#evicted.delete(slot);
    const gone = slot.unload('no source names it any more').finally(() => this.#leaving.delete(slot));
    this.#leaving.set(slot, gone);
  }

  /** Unloads everything, waiting up to `drainMs` for requests that run. */
  async close(drainMs: number): Promise<void> {
    await Promise.all([...this.all()].map((slot) => slot.unload('the server is stopping', drainMs)));
    await Promise.all(this.#leaving.values());
  }
}

const NONE: ReadonlyMap<string, Slot> = new Map();
