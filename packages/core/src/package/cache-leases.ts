import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A package asked for within this time counts as in use; holders renew it three times as often. */
const LEASE_MS = 15 * 60_000;

/**
 * Says which packages of a cache are in use, to this process and to others: the time of a file `used` beside each is
 * renewed while somebody holds it.
 */
export class CacheLeases implements Disposable {
  readonly #now: () => Date;
  readonly #held = new Set<string>();
  #renewal: NodeJS.Timeout | undefined;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Marks the package at a place as used, now and until this object is disposed. */
  async hold(place: string): Promise<void> {
    this.#held.add(place);
    await this.#touch(join(place, 'used'));
    this.#renewal ??= setInterval(() => {
      for (const held of this.#held) void this.#touch(join(held, 'used'));
    }, LEASE_MS / 3).unref();
  }

  /** Says whether this process holds a package, or any process has lately. */
  async isHeld(place: string): Promise<boolean> {
    if (this.#held.has(place)) return true;
    const used = await stat(join(place, 'used')).catch(() => undefined);
    return used !== undefined && this.#now().getTime() - used.mtimeMs < LEASE_MS;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#renewal);
    this.#held.clear();
  }

  /** Tolerated: a read-only cache still serves; it only cannot say that it was used. */
  async #touch(path: string): Promise<void> {
    const now = this.#now();
    await utimes(path, now, now).catch(() => writeFile(path, '').catch(() => undefined));
  }
}
