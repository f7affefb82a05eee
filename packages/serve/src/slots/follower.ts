import { isIngotError } from '@ingot/core/errors';
import type { ModelSource, ResolvedModel } from '@ingot/core/serving/runtime';
import { type Clock, pause } from '../clock.ts';
import type { Log } from '../log.ts';
import { type FollowedSource, refersTo } from './followed-source.ts';
import type { Slot } from './slot.ts';
import { keyOf, messageOf, versionOf } from './slot-errors.ts';
import type { Versions } from './versions.ts';

/** How sources are followed. */
export interface FollowerOptions {
  readonly source: ModelSource;
  readonly versions: Versions;
  readonly intervalMs: number;
  readonly clock: Clock;
  /** A number in [0, 1), to keep the sources' rhythms apart. */
  readonly random: () => number;
  readonly log: Log;
  /** Whether an operator has unloaded a model, so that its new versions are not loaded either. */
  readonly isUnloaded: (model: string) => boolean;
  /** Called when another version answers for a source, or what is known of its store has changed. */
  readonly onChange: () => void;
}

/** Follows sources: asks again and again which version each names, and has a new one loaded before it takes over. */
export class Follower {
  readonly sources: FollowedSource[] = [];
  readonly #options: FollowerOptions;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Adds a source with the version that it names now. */
  add(resolved: ResolvedModel): void {
    const { source, staleSince } = resolved;
    if (staleSince !== undefined)
      this.#options.log(
        'warn',
        `the store of ${source} has not answered since ${staleSince}; serving what it had then`,
      );
    this.sources.push({
      source: resolved.source,
      slot: this.#options.versions.slotFor(resolved),
      target: undefined,
      failed: undefined,
      staleSince: resolved.staleSince,
      complaint: undefined,
      staysBecause: undefined,
      wasReady: false,
    });
  }

  /** Follows all sources until the signal is aborted. */
  start(signal: AbortSignal): void {
    for (const followed of this.sources) void this.#watch(followed, signal);
  }

  /** Resolves a source now, loads what it names, and lets that take over. Throws what loading throws. */
  async renew(followed: FollowedSource, signal: AbortSignal): Promise<void> {
    const { source, versions } = this.#options;
    const resolved = await source.resolve(followed.source, { signal });
    const slot = versions.slotFor(resolved);
    versions.forgive(resolved);
    followed.target = slot;
    await versions.bring(slot);
    this.#takeOver(followed, slot);
  }

  async #watch(followed: FollowedSource, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, random } = this.#options;
    while (!signal.aborted) {
      await pause(clock, intervalMs * (0.8 + 0.4 * random()), signal);
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
      if (staleSince !== undefined)
        this.#options.log('warn', `the store of ${followed.source} has not answered since ${staleSince}; serving on`);
      else if (followed.complaint !== undefined) this.#options.log('info', `${followed.source} can be resolved again`);
      else this.#options.log('info', `the store of ${followed.source} answers again`);
      followed.staleSince = staleSince;
      this.#options.onChange();
    }
    followed.complaint = undefined;
  }

  #noteOutage(followed: FollowedSource, error: unknown): void {
    const complaint = `${followed.source} cannot be resolved, its last version answers on: ${messageOf(error)}`;
    if (followed.complaint !== complaint) this.#options.log('warn', complaint);
    followed.complaint = complaint;
    if (followed.staleSince !== undefined) return;
    followed.staleSince = new Date(this.#options.clock.now()).toISOString();
    this.#options.onChange();
  }

  /** Acts on what a source names now. */
  #want(followed: FollowedSource, resolved: ResolvedModel): void {
    const { versions, isUnloaded } = this.#options;
    const key = keyOf(resolved);
    if (key === keyOf(followed.slot.resolved)) {
      this.#settle(followed);
      return;
    }
    if (followed.target !== undefined && key === keyOf(followed.target.resolved)) return;
    if (versions.isTooEarly(resolved)) return;
    const slot = versions.slotFor(resolved);
    const previous = followed.target;
    followed.target = slot;
    if (previous !== undefined) this.#dropUnused(previous);
    if (!followed.slot.isLoaded || isUnloaded(resolved.model)) {
      this.#takeOver(followed, slot);
      return;
    }
    versions.bring(slot).then(
      () => this.#takeOver(followed, slot),
      (error: unknown) => this.#couldNotTakeOver(followed, slot, error),
    );
  }

  /** The source names what answers already: nothing else is wanted any more. */
  #settle(followed: FollowedSource): void {
    const unwanted = [followed.target, followed.failed];
    followed.target = undefined;
    followed.failed = undefined;
    followed.staysBecause = undefined;
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
    this.#options.onChange();
    if (old === slot) return;
    this.#options.log(
      'info',
      `${followed.source} is now version ${versionOf(slot.resolved)}, was ${versionOf(old.resolved)}`,
    );
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
    const because = `${followed.source} stays on version ${versionOf(followed.slot.resolved)}: ${messageOf(error)}`;
    if (followed.staysBecause !== because) this.#options.log('error', because);
    followed.staysBecause = because;
  }

  #dropUnused(slot: Slot): void {
    if (!this.sources.some((followed) => refersTo(followed, slot))) this.#options.versions.drop(slot);
  }
}
