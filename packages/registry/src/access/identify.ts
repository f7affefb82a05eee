/** Says who makes a request: by a token, a password, the cookie of a session, or a signed statement of a build server. */

import { IngotError } from '@ingot/core/errors';
import type { AccessState, KnownAccount } from './access-state.ts';
import type { Identity, RequestOrigin } from './identity.ts';
import type { SignInLimits } from './limits.ts';
import type { PasswordChecker } from './passwords.ts';
import type { RepositoryTokens } from './repository-tokens.ts';
import { checkCsrf, cookieOf, SESSION_COOKIE, type Sessions } from './sessions.ts';
import { isSecretOf, parseToken, type TokenParts } from './token-text.ts';

/** What of a request says who makes it. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
  readonly csrf: string | undefined;
  /** Whom a client says to be, where nobody has to prove it. */
  readonly actor: string | undefined;
  readonly origin: RequestOrigin;
}

/** Whoever a signed statement is about. */
export interface Workloads {
  /** Throws `unauthenticated`. */
  identify(jwt: string): Promise<{ readonly name: string; readonly subject: string }>;
}

/** What an identifier asks. */
export interface IdentifierOptions {
  readonly state: AccessState;
  readonly passwords: PasswordChecker;
  readonly sessions: Sessions;
  readonly limits: SignInLimits;
  /** Default: no build server is trusted. */
  readonly workloads?: Workloads | undefined;
  /** Tokens of clients of container registries; they count where repositories are. Default: none do. */
  readonly repositoryTokens?: Pick<RepositoryTokens, 'mayBe' | 'identify'> | undefined;
  readonly isOpen: () => boolean;
  readonly now: () => Date;
  /** Is told which token was used; must be fast. */
  readonly onTokenUsed: (id: string) => void;
  /** Is told of a password that was met for the first time in a minute, or was wrong. */
  readonly onSignIn: (name: string, origin: RequestOrigin, ok: boolean) => void;
}

/** Says who makes a request. Answers at once, unless something must be looked up or hashed. */
export type Identifier = (credentials: Credentials) => Identity | Promise<Identity>;

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Makes what says who asks. It throws `unauthenticated` for credentials that are wrong, expired or revoked, with one
 * text for all of them; `overloaded` after too many wrong passwords; `forbidden` for a change that only a cookie speaks for.
 */
export function createIdentifier(options: IdentifierOptions): Identifier {
  return (credentials) => {
    const { authorization, cookie, origin } = credentials;
    if (authorization !== undefined) return byHeader(authorization, origin, options);
    const session = cookieOf(cookie, SESSION_COOKIE);
    if (session !== undefined) return bySession(session, credentials, options);
    return withoutCredentials(credentials, options);
  };
}

function withoutCredentials({ actor, origin }: Credentials, { isOpen }: IdentifierOptions): Identity {
  if (isOpen()) return { kind: 'open', name: claimedName(actor), authenticated: false, origin };
  return { kind: 'nobody', name: 'anonymous', authenticated: false, origin };
}

function byHeader(header: string, origin: RequestOrigin, options: IdentifierOptions): Identity | Promise<Identity> {
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space).toLowerCase();
  const value = header.slice(space + 1).trim();
  if (scheme === 'basic') return byBasic(value, origin, options);
  if (scheme !== 'bearer') throw wrongCredentials();
  return byToken(value, origin, options) ?? byRepositoryToken(value, origin, options);
}

/** Elsewhere such a token is none: there it would let in whoever has it to more than it was given for. */
function byRepositoryToken(value: string, origin: RequestOrigin, options: IdentifierOptions): Promise<Identity> {
  const { repositoryTokens } = options;
  const isThere = REPOSITORIES.test(origin.route) && value.length <= MAX_STATEMENT;
  return isThere && repositoryTokens?.mayBe(value) === true
    ? repositoryTokens.identify(value, origin)
    : byStatement(value, origin, options);
}

const REPOSITORIES = /^\/v2(?:\/|$)/;
const MAX_STATEMENT = 16_384;

function byBasic(value: string, origin: RequestOrigin, options: IdentifierOptions): Identity | Promise<Identity> {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw wrongCredentials();
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)];
  const token = byToken(password, origin, options);
  if (token !== undefined) return token;
  const { passwords, state } = options;
  const key = passwords.keyed(`${name}\0${password}`);
  const account = state.accountNamed(name);
  const hash = account?.password;
  if (account !== undefined && hash !== undefined && !account.isDisabled && passwords.wasRight(key, hash))
    return userIdentity(account, origin);
  return byPassword(name, password, origin, options);
}

/**
 * Checks a name and its password.
 * @throws IngotError `unauthenticated`; `overloaded` after too many wrong ones.
 */
export async function byPassword(
  name: string,
  password: string,
  origin: RequestOrigin,
  { state, passwords, limits, onSignIn }: IdentifierOptions,
): Promise<Identity> {
  const who = name.slice(0, 200);
  limits.check(who, origin.address);
  const account = state.accountNamed(name);
  const hash = account?.isDisabled === true ? undefined : account?.password;
  const isRight = await passwords.isRight(password, passwords.keyed(`${name}\0${password}`), hash);
  onSignIn(who, origin, isRight);
  if (isRight && account !== undefined) {
    limits.succeeded(who, origin.address);
    return userIdentity(account, origin);
  }
  limits.failed(who, origin.address);
  throw wrongCredentials();
}

/**
 * Says who asks where that needs no look-up: by a token of this server, or where nobody proves who they are. Undefined:
 * the identifier must be asked, which looks further or says what is wrong. Never throws.
 */
export function identifyAtOnce(credentials: Credentials, options: IdentifierOptions): Identity | undefined {
  const { authorization, cookie, origin } = credentials;
  if (authorization === undefined)
    return cookie === undefined && options.isOpen() ? withoutCredentials(credentials, options) : undefined;
  const parts = authorization.startsWith(BEARER) ? parseToken(authorization.slice(BEARER.length)) : undefined;
  return parts && ofToken(parts, origin, options);
}

const BEARER = 'Bearer ';

function byToken(text: string, origin: RequestOrigin, options: IdentifierOptions): Identity | undefined {
  const parts = parseToken(text);
  if (parts === undefined) return undefined;
  const identity = ofToken(parts, origin, options);
  if (identity === undefined) throw wrongCredentials();
  return identity;
}

/** Whose token it is; undefined when it does not count. */
function ofToken(parts: TokenParts, origin: RequestOrigin, options: IdentifierOptions): Identity | undefined {
  const { state, now, onTokenUsed } = options;
  const token = state.token(parts.id);
  const isRight = isSecretOf(parts.secret, token?.secretHash ?? ''.padEnd(64, '0'));
  if (token === undefined || !isRight || token.isRevoked || token.expiresAt <= now().getTime()) return undefined;
  const owner = token.account === undefined ? undefined : state.account(token.account);
  if (token.account !== undefined && (owner === undefined || owner.isDisabled)) return undefined;
  onTokenUsed(token.id);
  const name = owner?.name ?? `token:${token.name}`;
  const whose = owner === undefined ? {} : { account: owner.id };
  return { kind: 'token', name, authenticated: true, subject: `token:${token.id}`, origin, ...whose };
}

async function byStatement(value: string, origin: RequestOrigin, { workloads }: IdentifierOptions): Promise<Identity> {
  if (workloads === undefined || value.length > MAX_STATEMENT) throw wrongCredentials();
  const { name, subject } = await workloads.identify(value);
  return { kind: 'token', name, authenticated: true, subject, origin };
}

async function bySession(secret: string, credentials: Credentials, options: IdentifierOptions): Promise<Identity> {
  const { origin, csrf } = credentials;
  const id = await options.sessions.account(secret);
  const account = id === undefined ? undefined : options.state.account(id);
  if (account === undefined || account.isDisabled) return withoutCredentials(credentials, options);
  if (!READING.has(origin.method)) checkCsrf(secret, csrf);
  return userIdentity(account, origin);
}

function userIdentity({ id, name }: KnownAccount, origin: RequestOrigin): Identity {
  return { kind: 'user', name, authenticated: true, subject: `account:${id}`, account: id, origin };
}

/** Says that credentials do not count, and not why: a name that is not known answers as one whose password is wrong. */
export function wrongCredentials(): IngotError {
  return new IngotError('unauthenticated', 'the name and password, or the token, are not valid here', {
    hint: 'ingot login URL',
  });
}

const CLAIM = /^[\p{L}\p{N}][\p{L}\p{N} ._@:+-]{0,99}$/u;

/** Where nobody proves who they are, the history shows whom they say to be. */
function claimedName(actor: string | undefined): string {
  return actor !== undefined && CLAIM.test(actor) ? actor : 'anonymous';
}
