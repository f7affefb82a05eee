/**
 * Accounts, tokens, grants and sessions as they are changed. Every change moves the version counter in its own
 * transaction, so that changes happen one after the other, on every server over the same database.
 */

import { IngotError } from '@ingot/core/errors';
import type { Kysely, Transaction } from 'kysely';
import type { AccessState } from './access-state.ts';
import { grantOfRow, scopesOf } from './access-state.ts';
import { type Grant, parseGrant } from './grants.ts';
import { checkNewPassword, hashPassword } from './passwords.ts';
import type { AccessTables, AccountRow, TokenRow } from './tables.ts';
import { makeToken, secretHash } from './token-text.ts';

/** What accounts are kept with. */
export interface AccountsOptions {
  readonly own: Kysely<AccessTables>;
  readonly state: AccessState;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
}

/** An account, for people. */
export interface Account {
  readonly name: string;
  readonly signsInWith: 'password' | 'oidc';
  readonly disabled: boolean;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly grants: readonly Grant[];
}

/** A token, for people; never its secret. */
export interface Token {
  readonly id: string;
  readonly name: string;
  /** Whose it is; null: a service of its own. */
  readonly account: string | null;
  /** Null: all that the account may. */
  readonly scopes: readonly Grant[] | null;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
}

/** A token that was just made; its text is never shown again. */
export interface NewToken extends Token {
  readonly token: string;
}

/** What an account is made of. */
export interface AccountDraft {
  readonly name: string;
  /** Default: it signs in through OIDC only. */
  readonly password?: string;
  readonly external?: { readonly issuer: string; readonly id: string };
  readonly grants?: readonly Grant[];
}

/** What a token is made of. */
export interface TokenDraft {
  readonly name: string;
  /** Name of whose it is. Default: a service of its own, which needs scopes. */
  readonly account?: string;
  readonly scopes?: readonly Grant[];
  /** Default: it does not expire. */
  readonly expiresAt?: Date;
  /** Only while nobody could administer the server. Default: in any case. */
  readonly ifNobodyAdministers?: boolean;
}

type Writing = Transaction<AccessTables>;

const NAME = /^[a-z0-9](?:[a-z0-9._@+-]{0,98}[a-z0-9])?$/i;

/** Changes accounts, tokens and grants. */
export class Accounts {
  readonly #options: AccountsOptions;

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  async list(): Promise<Account[]> {
    const rows = await this.#options.own.selectFrom('accounts').selectAll().orderBy('name').execute();
    const grants = await this.#options.own.selectFrom('access_grants').selectAll().orderBy('created_at').execute();
    return rows.map((row) =>
      accountOf(row, grants.filter(({ account_id }) => account_id === row.id).flatMap(grantOfRow)),
    );
  }

  /**
   * Makes an account. The first one becomes admin of the server, which is open to nobody any more.
   * @throws IngotError `invalid-name`, `name-taken`, `usage` for a weak password.
   */
  async add(draft: AccountDraft, by: string): Promise<Account> {
    const { name, password, external } = draft;
    if (!NAME.test(name) || name.includes('..'))
      throw new IngotError(
        'invalid-name',
        `"${name.slice(0, 80)}" is no account name: letters, digits and ". _ @ + -"`,
      );
    if (password !== undefined) checkNewPassword(password, name);
    const hash = password === undefined ? null : await hashPassword(password);
    const given = (draft.grants ?? []).map(parseGrant);
    const row = {
      id: this.#id(),
      name,
      password: hash,
      issuer: external?.issuer ?? null,
      external_id: external?.id ?? null,
      disabled: 0,
      created_at: this.#at(),
      created_by: by,
    };
    const grants = await this.#change(async (writing) => {
      const taken = await writing.selectFrom('accounts').select('id').where('name', '=', name).executeTakeFirst();
      if (taken !== undefined) throw new IngotError('name-taken', `there is an account "${name}" already`);
      const isFirst = await closes(writing);
      const wanted: readonly Grant[] = isFirst && external === undefined ? [{ role: 'admin', scope: '*' }] : given;
      await writing.insertInto('accounts').values(row).execute();
      for (const grant of wanted) await this.#insertGrant(writing, row.id, grant, by);
      return wanted;
    });
    return accountOf(row, grants);
  }

  /** Removes an account with its grants, tokens and sessions. Throws `not-found`, and `conflict` for the last admin. */
  async remove(name: string): Promise<void> {
    await this.#change(async (writing) => {
      const { id } = await accountRow(writing, name);
      await writing.deleteFrom('access_sessions').where('account_id', '=', id).execute();
      await writing
        .updateTable('access_tokens')
        .set({ revoked_at: this.#at() })
        .where('account_id', '=', id)
        .where('revoked_at', 'is', null)
        .execute();
      await writing.deleteFrom('access_grants').where('account_id', '=', id).execute();
      await writing.deleteFrom('accounts').where('id', '=', id).execute();
      await this.#keepAnAdmin(writing);
    });
  }

  /** Gives another password and ends all sessions. Throws `not-found`, `usage`. */
  async setPassword(name: string, password: string): Promise<void> {
    checkNewPassword(password, name);
    const hash = await hashPassword(password);
    await this.#change(async (writing) => {
      const { id } = await accountRow(writing, name);
      await writing.updateTable('accounts').set({ password: hash }).where('id', '=', id).execute();
      await writing.deleteFrom('access_sessions').where('account_id', '=', id).execute();
    });
  }

  /** Gives a role; one that is there already stays. Throws `not-found`, `invalid-name`. */
  async grant(name: string, grant: Grant, by: string): Promise<readonly Grant[]> {
    const checked = parseGrant(grant);
    return this.#change(async (writing) => {
      const { id } = await accountRow(writing, name);
      const before = await grantsOf(writing, id);
      if (before.some((known) => isSame(known, checked))) return before;
      await this.#insertGrant(writing, id, checked, by);
      return [...before, checked];
    });
  }

  /** Takes a role back. Throws `not-found`, and `conflict` for the last admin. */
  async revoke(name: string, grant: Grant): Promise<readonly Grant[]> {
    const checked = parseGrant(grant);
    return this.#change(async (writing) => {
      const { id } = await accountRow(writing, name);
      const rows = await writing.selectFrom('access_grants').selectAll().where('account_id', '=', id).execute();
      const found = rows.filter((row) => grantOfRow(row).some((known) => isSame(known, checked)));
      if (found.length === 0)
        throw new IngotError('not-found', `"${name}" is not ${checked.role} of ${scopeText(checked)}`, {
          hint: 'ingot account ls',
        });
      for (const row of found) await writing.deleteFrom('access_grants').where('id', '=', row.id).execute();
      await this.#keepAnAdmin(writing);
      return grantsOf(writing, id);
    });
  }

  /** Gives exactly these roles: what an identity provider's claims say now. */
  async setGrants(name: string, grants: readonly Grant[], by: string): Promise<void> {
    const wanted = grants.map(parseGrant);
    const known = this.#options.state.accountNamed(name)?.grants ?? [];
    if (known.length === wanted.length && wanted.every((grant) => known.some((other) => isSame(other, grant)))) return;
    await this.#change(async (writing) => {
      const { id } = await accountRow(writing, name);
      await writing.deleteFrom('access_grants').where('account_id', '=', id).execute();
      for (const grant of wanted) await this.#insertGrant(writing, id, grant, by);
    });
  }

  /** Tokens, newest first; of one account, or all. */
  async tokens(account?: string): Promise<Token[]> {
    let query = this.#options.own
      .selectFrom('access_tokens')
      .leftJoin('accounts', 'accounts.id', 'access_tokens.account_id')
      .selectAll('access_tokens')
      .select('accounts.name as account_name')
      .orderBy('access_tokens.created_at', 'desc');
    if (account !== undefined) query = query.where('accounts.name', '=', account);
    const rows = await query.limit(10_000).execute();
    return rows.map((row) => tokenOf(row, row.account_name));
  }

  /**
   * Makes a token. Throws `not-found` for its account, `usage` for a service without scopes, `conflict` when it is made
   * only while nobody administers the server, and somebody does.
   */
  async addToken(draft: TokenDraft, by: string): Promise<NewToken> {
    const { name, account, expiresAt } = draft;
    if (!NAME.test(name)) throw new IngotError('invalid-name', `"${name.slice(0, 80)}" cannot name a token`);
    const scopes = draft.scopes?.map(parseGrant);
    if (account === undefined && (scopes === undefined || scopes.length === 0))
      throw new IngotError('usage', 'a token that is nobody’s needs to be told what it may do', {
        hint: 'ingot token create ci --service --role pusher --on team/',
      });
    const { id, secret, text } = makeToken(this.#options.random);
    const row: Omit<TokenRow, 'account_id'> = {
      id,
      secret_hash: secretHash(secret),
      name,
      scopes: scopes === undefined ? null : JSON.stringify(scopes),
      created_at: this.#at(),
      created_by: by,
      expires_at: expiresAt?.toISOString() ?? null,
      revoked_at: null,
      last_used_at: null,
    };
    await this.#change(async (writing) => {
      if (draft.ifNobodyAdministers === true && (await this.#hasAdmin(writing)))
        throw new IngotError('conflict', 'somebody administers the server already');
      const owner = account === undefined ? null : (await accountRow(writing, account)).id;
      await writing
        .insertInto('access_tokens')
        .values({ ...row, account_id: owner })
        .execute();
    });
    return { ...tokenOf({ ...row, account_id: null }, account ?? null), token: text };
  }

  /** Ends a token. Throws `not-found`, and `conflict` for the last that may administer. */
  async revokeToken(id: string, account?: string): Promise<Token> {
    return this.#change(async (writing) => {
      const row = await writing
        .selectFrom('access_tokens')
        .leftJoin('accounts', 'accounts.id', 'access_tokens.account_id')
        .selectAll('access_tokens')
        .select('accounts.name as account_name')
        .where('access_tokens.id', '=', id)
        .executeTakeFirst();
      if (row === undefined || (account !== undefined && row.account_name !== account))
        throw new IngotError('not-found', `there is no token "${id}"`, { hint: 'ingot token ls' });
      const revoked = { ...row, revoked_at: row.revoked_at ?? this.#at() };
      await writing.updateTable('access_tokens').set({ revoked_at: revoked.revoked_at }).where('id', '=', id).execute();
      await this.#keepAnAdmin(writing);
      return tokenOf(revoked, row.account_name);
    });
  }

  /** Notes when tokens were used last. */
  async used(times: ReadonlyMap<string, string>): Promise<void> {
    await this.#options.own.transaction().execute(async (writing) => {
      for (const [id, at] of times)
        await writing.updateTable('access_tokens').set({ last_used_at: at }).where('id', '=', id).execute();
    });
  }

  /** The account that an identity provider vouches for, made when it comes first. */
  async ofExternal(draft: AccountDraft & { readonly external: { readonly issuer: string; readonly id: string } }) {
    const { issuer, id } = draft.external;
    const known = await this.#options.own
      .selectFrom('accounts')
      .selectAll()
      .where('issuer', '=', issuer)
      .where('external_id', '=', id)
      .executeTakeFirst();
    if (known === undefined) return (await this.add(draft, 'oidc')).name;
    if (draft.grants !== undefined) await this.setGrants(known.name, draft.grants, 'oidc');
    return known.name;
  }

  async #change<T>(work: (writing: Writing) => Promise<T>): Promise<T> {
    const result = await this.#options.own.transaction().execute(async (writing) => {
      await moveVersion(writing);
      return work(writing);
    });
    await this.#options.state.changed();
    return result;
  }

  async #insertGrant(writing: Writing, account: string, { role, scope, aliases }: Grant, by: string): Promise<void> {
    await writing
      .insertInto('access_grants')
      .values({
        id: this.#id(),
        account_id: account,
        role,
        scope,
        aliases: aliases === undefined ? null : JSON.stringify(aliases),
        created_at: this.#at(),
        created_by: by,
      })
      .execute();
  }

  /** A server that nobody can administer any more could only be helped by editing its database. */
  async #keepAnAdmin(writing: Writing): Promise<void> {
    if (await this.#hasAdmin(writing)) return;
    throw new IngotError('conflict', 'nobody could administer the server any more', {
      hint: 'ingot grant NAME admin   (make somebody else an admin first)',
    });
  }

  async #hasAdmin(writing: Writing): Promise<boolean> {
    const grants = await writing
      .selectFrom('access_grants')
      .innerJoin('accounts', 'accounts.id', 'access_grants.account_id')
      .select('access_grants.id')
      .where('accounts.disabled', '=', 0)
      .where('access_grants.role', '=', 'admin')
      .where('access_grants.scope', '=', '*')
      .limit(1)
      .execute();
    if (grants.length > 0) return true;
    const services = await writing
      .selectFrom('access_tokens')
      .selectAll()
      .where('account_id', 'is', null)
      .where('revoked_at', 'is', null)
      .execute();
    const now = this.#at();
    const isAdmin = ({ scopes, expires_at }: TokenRow): boolean =>
      (expires_at === null || expires_at > now) &&
      scopes !== null &&
      scopesOf(scopes).some(({ role, scope }) => role === 'admin' && scope === '*');
    return services.some(isAdmin);
  }

  #id(): string {
    return Buffer.from(this.#options.random(12)).toString('hex');
  }

  #at(): string {
    return this.#options.now().toISOString();
  }
}

/** Moves the counter; on Postgres its row makes changes wait for each other. */
async function moveVersion(writing: Writing): Promise<void> {
  await writing
    .insertInto('access_facts')
    .values({ name: 'version', value: '0' })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const update = writing.updateTable('access_facts').where('name', '=', 'version');
  await update.set(({ ref }) => ({ value: ref('value') })).execute();
  const { value } = await writing
    .selectFrom('access_facts')
    .select('value')
    .where('name', '=', 'version')
    .executeTakeFirstOrThrow();
  await update.set({ value: String(Number(value) + 1) }).execute();
}

/** Whether this is the first account ever. */
async function closes(writing: Writing): Promise<boolean> {
  const closed = await writing.selectFrom('access_facts').select('value').where('name', '=', 'closed').execute();
  if (closed.length > 0) return false;
  await writing.insertInto('access_facts').values({ name: 'closed', value: '1' }).execute();
  return true;
}

async function accountRow(writing: Writing, name: string): Promise<AccountRow> {
  const row = await writing.selectFrom('accounts').selectAll().where('name', '=', name).executeTakeFirst();
  if (row !== undefined) return row;
  throw new IngotError('not-found', `there is no account "${name.slice(0, 100)}"`, { hint: 'ingot account ls' });
}

async function grantsOf(writing: Writing, account: string): Promise<Grant[]> {
  const rows = await writing
    .selectFrom('access_grants')
    .selectAll()
    .where('account_id', '=', account)
    .orderBy('created_at')
    .execute();
  return rows.flatMap(grantOfRow);
}

function isSame(one: Grant, other: Grant): boolean {
  const text = ({ aliases }: Grant): string => JSON.stringify(aliases === undefined ? null : [...aliases].sort());
  return one.role === other.role && one.scope === other.scope && text(one) === text(other);
}

/** Says where a grant counts: `the server`, `team/`, `team/churn @staging`. */
export function scopeText({ scope, aliases }: Grant): string {
  const where = scope === '*' ? 'the server' : scope;
  return aliases === undefined ? where : `${where} ${aliases.map((alias) => `@${alias}`).join(' ')}`;
}

function accountOf(row: AccountRow, grants: readonly Grant[]): Account {
  return {
    name: row.name,
    signsInWith: row.password === null ? 'oidc' : 'password',
    disabled: row.disabled !== 0,
    createdAt: row.created_at,
    createdBy: row.created_by,
    grants,
  };
}

function tokenOf(row: TokenRow, account: string | null): Token {
  return {
    id: row.id,
    name: row.name,
    account,
    scopes: row.scopes === null ? null : scopesOf(row.scopes),
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  };
}
