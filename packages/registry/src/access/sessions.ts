/**
 * A *session* is a browser that has signed in: a cookie that scripts cannot read, and a second secret that only pages of
 * this server know and send with whatever changes something.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { AccessTables } from './tables.ts';
import { secretHash } from './token-text.ts';

/** Name of the cookie. */
export const SESSION_COOKIE = 'ingot_session';
/** Header of the second secret. */
export const CSRF_HEADER = 'x-ingot-csrf';

const LASTS_MS = 12 * 3_600_000;
/** How long an ended session may still be known on another server. */
const KNOWN_MS = 2000;
const KNOWN_AT_MOST = 10_000;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** A session that was just begun. */
export interface NewSession {
  /** What the cookie holds. */
  readonly secret: string;
  readonly csrf: string;
  readonly expiresAt: Date;
}

/** What sessions are kept with. */
export interface SessionsOptions {
  readonly own: Kysely<AccessTables>;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** Sessions of browsers. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #known = new Map<string, { readonly account: string | undefined; readonly until: number }>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Begins a session of an account, for 12 hours. */
  async begin(account: string): Promise<NewSession> {
    const { own, now, random } = this.#options;
    const secret = Buffer.from(random(32)).toString('base64url');
    const at = now();
    const expiresAt = new Date(at.getTime() + LASTS_MS);
    await own.deleteFrom('access_sessions').where('expires_at', '<', at.toISOString()).execute();
    const row = { id: secretHash(secret), account_id: account, created_at: at.toISOString() };
    await own
      .insertInto('access_sessions')
      .values({ ...row, expires_at: expiresAt.toISOString() })
      .execute();
    return { secret, csrf: csrfOf(secret), expiresAt };
  }

  /** The account of a session; undefined when there is none, or it has ended. */
  async account(secret: string): Promise<string | undefined> {
    if (!SECRET.test(secret)) return undefined;
    const id = secretHash(secret);
    const now = this.#options.now();
    const known = this.#known.get(id);
    if (known !== undefined && known.until > now.getTime()) return known.account;
    const row = await this.#options.own
      .selectFrom('access_sessions')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    const account = row === undefined || row.expires_at <= now.toISOString() ? undefined : row.account_id;
    if (this.#known.size >= KNOWN_AT_MOST) this.#known.clear();
    this.#known.set(id, { account, until: now.getTime() + KNOWN_MS });
    return account;
  }

  async end(secret: string): Promise<void> {
    const id = secretHash(secret);
    this.#known.delete(id);
    await this.#options.own.deleteFrom('access_sessions').where('id', '=', id).execute();
  }

  /** Forgets what was known, after an account has lost its sessions. */
  forget(): void {
    this.#known.clear();
  }
}

/** The second secret of a session. */
export function csrfOf(secret: string): string {
  return createHmac('sha256', secret).update('csrf').digest('base64url');
}

/** Refuses a change that only the cookie speaks for. Throws `forbidden`. */
export function checkCsrf(secret: string, header: string | undefined): void {
  const [given, wanted] = [Buffer.from(header ?? ''), Buffer.from(csrfOf(secret))];
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  throw new IngotError('forbidden', `a change made with a cookie needs the header ${CSRF_HEADER}`, {
    hint: 'send what POST /api/v1/sessions answered as csrf; programs use a token and no cookie',
  });
}

/** The value of a cookie in the header; of several with the name, the first. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}
