/**
 * What decides about requests (accounts, tokens, grants), as it stands in memory. It is read whole when its version
 * counter has moved: at once by the server that moved it, within a second by every other over the same database.
 */

import type { Kysely } from 'kysely';
import type { JsonValue } from '@ingot/core/json';
import type { AccountRow, AccessTables, GrantRow, TokenRow } from './tables.ts';
import { type Grant, isRole, type Rights, rightsOf } from './grants.ts';

/** How often the version counter is looked at. */
const LOOK_EVERY_MS = 1000;

/** An account as the gate needs it. */
export interface KnownAccount {
  readonly id: string;
  readonly name: string;
  readonly password: string | undefined;
  readonly isDisabled: boolean;
  readonly grants: readonly Grant[];
}

/** A token as the gate needs it. */
export interface KnownToken {
  readonly id: string;
  readonly name: string;
  readonly secretHash: string;
  readonly account: string | undefined;
  readonly scopes: readonly Grant[] | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly isRevoked: boolean;
}

interface Snapshot {
  readonly version: number;
  /** Whether there has ever been an account; then the server is never open again. */
  readonly isClosed: boolean;
  readonly accounts: ReadonlyMap<string, KnownAccount>;
  readonly byName: ReadonlyMap<string, KnownAccount>;
  readonly tokens: ReadonlyMap<string, KnownToken>;
}

const EMPTY: Snapshot = {
  version: -1,
  isClosed: false,
  accounts: new Map(),
  byName: new Map(),
  tokens: new Map(),
};

/** Accounts, tokens and grants in memory. Disposing it stops looking for changes. */
export class AccessState implements Disposable {
  readonly #own: Kysely<AccessTables>;
  readonly #rights = new Map<string, Rights>();
  readonly #warn: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  #snapshot = EMPTY;
  #looking: Promise<void> | undefined;

  /** @param warn is told when the database does not answer; what was known goes on to count. */
  constructor(own: Kysely<AccessTables>, warn: (message: string) => void) {
    this.#own = own;
    this.#warn = warn;
    this.#timer = setInterval(() => {
      this.look().catch((error: unknown) => this.#warn(`accounts cannot be read anew: ${String(error)}`));
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Whether there has ever been an account. */
  get isClosed(): boolean {
    return this.#snapshot.isClosed;
  }

  account(id: string): KnownAccount | undefined {
    return this.#snapshot.accounts.get(id);
  }

  accountNamed(name: string): KnownAccount | undefined {
    return this.#snapshot.byName.get(name);
  }

  token(id: string): KnownToken | undefined {
    return this.#snapshot.tokens.get(id);
  }

  /** Whether anybody could come as an admin of the server now. */
  hasAdmin(now: number): boolean {
    const isAdmin = ({ role, scope }: Grant): boolean => role === 'admin' && scope === '*';
    const { accounts, tokens } = this.#snapshot;
    for (const { isDisabled, grants } of accounts.values()) if (!isDisabled && grants.some(isAdmin)) return true;
    for (const token of tokens.values())
      if (!token.isRevoked && token.expiresAt > now && token.account === undefined && token.scopes?.some(isAdmin))
        return true;
    return false;
  }

  /** Rights of an account, or of what a token is limited to; put together once. */
  rights(key: string, grants: readonly Grant[]): Rights {
    const known = this.#rights.get(key);
    if (known !== undefined) return known;
    const made = rightsOf(grants);
    this.#rights.set(key, made);
    return made;
  }

  /** Reads everything when the counter has moved. */
  async look(): Promise<void> {
    this.#looking ??= this.#read().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  /** Reads what was just changed here, also when a look is under way that may have been too early. */
  async changed(): Promise<void> {
    await this.#looking?.catch(() => {}); // Told by whoever began it.
    await this.look();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    const facts = await this.#own.selectFrom('access_facts').selectAll().execute();
    const version = Number(facts.find(({ name }) => name === 'version')?.value ?? 0);
    if (version === this.#snapshot.version) return;
    const accounts = await this.#own.selectFrom('accounts').selectAll().execute();
    const grants = await this.#own.selectFrom('access_grants').selectAll().execute();
    const tokens = await this.#own.selectFrom('access_tokens').where('revoked_at', 'is', null).selectAll().execute();
    const known = accounts.map((row) => accountOf(row, grants));
    this.#rights.clear();
    this.#snapshot = {
      version,
      isClosed: facts.some(({ name }) => name === 'closed'),
      accounts: new Map(known.map((account) => [account.id, account])),
      byName: new Map(known.map((account) => [account.name, account])),
      tokens: new Map(tokens.map((row) => [row.id, tokenOf(row)])),
    };
  }
}

function accountOf(row: AccountRow, grants: readonly GrantRow[]): KnownAccount {
  return {
    id: row.id,
    name: row.name,
    password: row.password ?? undefined,
    isDisabled: row.disabled !== 0,
    grants: grants.filter(({ account_id }) => account_id === row.id).flatMap(grantOfRow),
  };
}

/** Reads a stored grant; a role of a newer release gives nothing. */
export function grantOfRow({ role, scope, aliases }: Pick<GrantRow, 'role' | 'scope' | 'aliases'>): Grant[] {
  if (!isRole(role)) return [];
  return [aliases === null ? { role, scope } : { role, scope, aliases: textsOf(JSON.parse(aliases)) }];
}

function tokenOf(row: TokenRow): KnownToken {
  return {
    id: row.id,
    name: row.name,
    secretHash: row.secret_hash,
    account: row.account_id ?? undefined,
    scopes: row.scopes === null ? undefined : scopesOf(row.scopes),
    expiresAt: row.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(row.expires_at),
    isRevoked: row.revoked_at !== null,
  };
}

/** Reads the grants that a token is limited to. */
export function scopesOf(json: string): Grant[] {
  const list: JsonValue = JSON.parse(json);
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: JsonValue) => {
    if (typeof item !== 'object' || item === null || !('role' in item) || !('scope' in item)) return [];
    const { role, scope, aliases } = item;
    if (typeof role !== 'string' || typeof scope !== 'string' || !isRole(role)) return [];
    return [aliases === undefined ? { role, scope } : { role, scope, aliases: textsOf(aliases) }];
  });
}

function textsOf(value: JsonValue): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
