/**
 * Passwords are kept as argon2id. Checking one costs tens of milliseconds and 19 MiB on purpose, so what was right once
 * is known again for a minute by a keyed hash, which tells nothing of the password without the key of this process.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { IngotError } from '@ingot/core/errors';
import { argon2Hash, argon2Matches } from './argon2.ts';

const SHORTEST = 10;
const LONGEST = 256;
const KEPT_MS = 60_000;
const KEPT_AT_MOST = 10_000;
const WAITING_AT_MOST = 64;

/** Of random bytes that nobody kept: what an unknown name is checked against, so that it costs as much. */
const NOBODY = '$argon2id$v=19$m=19456,t=2,p=1$YRcAHf9pZBrxIfOBwEdW7w$18S/7G8oXH97s0qfhZn8xQxbF9sG/2GG2V66owrgpIk';

/**
 * Checks a password that somebody wants to have.
 * @throws IngotError `usage` when it is shorter than 10 characters, longer than 256, or the name itself.
 */
export function checkNewPassword(password: string, name: string): void {
  const length = [...password].length;
  if (length < SHORTEST || length > LONGEST)
    throw new IngotError('usage', `a password has ${SHORTEST} to ${LONGEST} characters`);
  if (password.toLowerCase().includes(name.toLowerCase()) && length < name.length + SHORTEST)
    throw new IngotError('usage', 'a password is not the name with little added');
}

/** Hashes a password; the result (PHC form) says its own parameters. */
export async function hashPassword(password: string): Promise<string> {
  return await argon2Hash(password.normalize('NFKC'));
}

/** Checks passwords; at most as many at once as the machine has cores, others wait. */
export class PasswordChecker {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, { readonly hash: string; readonly until: number }>();
  readonly #now: () => number;
  readonly #width = Math.max(1, availableParallelism() - 1);
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param now milliseconds of some clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A keyed hash of what a request carries: equal texts have equal ones, and only this process can make them. */
  keyed(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64');
  }

  /** Whether this password was right within the last minute, for what is the account's hash now. Costs microseconds. */
  wasRight(key: string, passwordHash: string): boolean {
    const known = this.#known.get(key);
    return known !== undefined && known.until > this.#now() && known.hash === passwordHash;
  }

  /**
   * Checks a password; one of nobody (`undefined`) takes as long and is wrong.
   * @param key what {@link keyed} gives for name and password.
   * @throws IngotError `overloaded` when too many wait already.
   */
  async isRight(password: string, key: string, passwordHash: string | undefined): Promise<boolean> {
    await this.#begin();
    try {
      const usable = password.length <= 4 * LONGEST ? password.normalize('NFKC') : '';
      const matches = await argon2Matches(passwordHash ?? NOBODY, usable);
      const isRight = matches && passwordHash !== undefined;
      if (isRight) this.#keep(key, passwordHash);
      return isRight;
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #begin(): Promise<void> {
    if (this.#waiting.length >= WAITING_AT_MOST)
      throw new IngotError('overloaded', 'too many people sign in at once; try again in a few seconds');
    if (this.#running >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
  }

  #keep(key: string, passwordHash: string): void {
    this.#known.delete(key);
    this.#known.set(key, { hash: passwordHash, until: this.#now() + KEPT_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT_AT_MOST && oldest !== undefined) this.#known.delete(oldest);
  }
}
