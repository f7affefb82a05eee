/** Limits of how often somebody may ask. Each is a bucket that fills with time; nothing is kept of those who do not ask. */

import { IngotError } from '@ingot/core/errors';

/** How fast a bucket fills, and how much it holds. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  left: number;
  at: number;
}

const BUCKETS_AT_MOST = 20_000;

/** Buckets by key. */
export class Buckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param now milliseconds of some clock that never goes back. */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Takes one; gives the seconds to wait when there is none, else 0. */
  take(key: string): number {
    const bucket = this.#filled(key);
    if (bucket.left >= 1) {
      bucket.left -= 1;
      return 0;
    }
    return this.#wait(bucket);
  }

  /** The seconds to wait until there is one, without taking it. */
  wait(key: string): number {
    if (!this.#buckets.has(key)) return 0;
    const bucket = this.#filled(key);
    return bucket.left >= 1 ? 0 : this.#wait(bucket);
  }

  #wait({ left }: Bucket): number {
    return Math.max(1, Math.ceil((1 - left) / this.#rate.perSecond));
  }

  #filled(key: string): Bucket {
    const now = this.#now();
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      known.left = Math.min(this.#rate.burst, known.left + ((now - known.at) / 1000) * this.#rate.perSecond);
      known.at = now;
      return known;
    }
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= BUCKETS_AT_MOST && oldest !== undefined) this.#buckets.delete(oldest);
    const bucket = { left: this.#rate.burst, at: now };
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

/** How often may be asked; each has a default. */
export interface RequestRates {
  /** Of one who has said who they are. */
  readonly identity: Rate;
  /** Of one address, while nobody there has. */
  readonly address: Rate;
}

/** Far above what people and build servers do, and below what would keep others from being answered. */
export const DEFAULT_RATES: RequestRates = {
  identity: { perSecond: 20_000, burst: 40_000 },
  address: { perSecond: 50, burst: 300 },
};

/** Says that somebody asks too often. */
export function tooOften(seconds: number, what = 'requests'): IngotError {
  return new IngotError('overloaded', `too many ${what}; try again in ${seconds} s`, {
    details: { retryAfterSeconds: seconds },
  });
}

/** Ten tries at once, then one every 30 s, for one name from one address. */
const PAIR: Rate = { perSecond: 1 / 30, burst: 10 };
/** For all names from one address. */
const ADDRESS: Rate = { perSecond: 1 / 3, burst: 50 };
/** For one name from addresses where it has never signed in. */
const NAME: Rate = { perSecond: 1 / 10, burst: 100 };
const KNOWN_AT_MOST = 20_000;

/**
 * Limits wrong passwords by name and address. Whoever has signed in from an address before is not kept out by wrong
 * tries from elsewhere, so nobody can lock out somebody else.
 */
export class SignInLimits {
  readonly #pairs: Buckets;
  readonly #addresses: Buckets;
  readonly #names: Buckets;
  readonly #known = new Set<string>();

  constructor(now: () => number) {
    this.#pairs = new Buckets(PAIR, now);
    this.#addresses = new Buckets(ADDRESS, now);
    this.#names = new Buckets(NAME, now);
  }

  /** Throws `overloaded` when no more passwords are tried for this name from this address now. */
  check(name: string, address: string): void {
    const pair = `${address} ${name}`;
    const fromElsewhere = this.#known.has(pair) ? 0 : this.#names.wait(name);
    const seconds = Math.max(this.#pairs.wait(pair), this.#addresses.wait(address), fromElsewhere);
    if (seconds > 0) throw tooOften(seconds, 'failed sign-ins');
  }

  failed(name: string, address: string): void {
    this.#pairs.take(`${address} ${name}`);
    this.#addresses.take(address);
    this.#names.take(name);
  }

  succeeded(name: string, address: string): void {
    const [oldest] = this.#known;
    if (this.#known.size >= KNOWN_AT_MOST && oldest !== undefined) this.#known.delete(oldest);
    this.#known.add(`${address} ${name}`);
  }
}
