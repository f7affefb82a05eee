/** The room of people and permission, put together. */

import { isIngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { AccessLog } from '../audit/access-log.ts';
import type { Log } from '../services.ts';
import { AccessState } from './access-state.ts';
import { Accounts } from './accounts.ts';
import { createAuthorizer } from './authorizer.ts';
import {
  byPassword,
  createIdentifier,
  type Credentials,
  identifyAtOnce,
  type Identifier,
  type IdentifierOptions,
} from './identify.ts';
import type { Authorizer, Identity, RequestOrigin } from './identity.ts';
import { SignInLimits } from './limits.ts';
import { isLoopback } from './origins.ts';
import { PasswordChecker } from './passwords.ts';
import { RepositoryTokens, type RepositoryTokenTables } from './repository-tokens.ts';
import { Sessions } from './sessions.ts';
import { type OidcSignIn, openOidc } from './oidc.ts';
import type { SignInConfig } from './sign-in-config.ts';
import type { AccessTables } from './tables.ts';
import { TokenUse } from './token-use.ts';
import { TrustedWorkloads } from './workloads.ts';

/** What the room is opened with. */
export interface AccessOptions {
  readonly own: Kysely<AccessTables & RepositoryTokenTables>;
  /** Address that the server listens on. */
  readonly host: string;
  readonly accessLog: AccessLog;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** Who else vouches for people and build servers. Default: nobody. */
  readonly signIn?: SignInConfig | undefined;
}

/** Who may come in, and what they may do. Disposing it writes when tokens were used last. */
export interface Access extends AsyncDisposable {
  readonly state: AccessState;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly authorizer: Authorizer;
  readonly identify: Identifier;
  /** The same where nothing must be looked up; undefined: `identify` must be asked. Never throws. */
  identifyAtOnce(credentials: Credentials): Identity | undefined;
  /** What clients of container registries work with. */
  readonly repositoryTokens: RepositoryTokens;
  /** People sign in through it; undefined: only with passwords. */
  readonly oidc: OidcSignIn | undefined;
  /** Whether whoever comes without credentials may do everything: on loopback, until the first account. */
  isOpen(): boolean;
  /** Whether who was let in still would be: what stays open asks it again. */
  isCurrent(identity: Identity): boolean;
  /** Throws `unauthenticated`, `overloaded`. */
  signIn(name: string, password: string, origin: RequestOrigin): Promise<Identity>;
  /** The token that was made because nobody could have administered the server; shown once. */
  readonly firstToken: string | undefined;
}

/** Opens the room: reads accounts, and makes a token where nobody else could come in. */
export async function openAccess(options: AccessOptions): Promise<Access> {
  const { own, host, accessLog, log, now, random, signIn } = options;
  const warn = (message: string): void => log('warn', message);
  const state = new AccessState(own, warn);
  await state.look();
  const accounts = new Accounts({ own, state, now, random });
  const sessions = new Sessions({ own, now, random });
  const isOpen = (): boolean => isLoopback(host) && !state.isClosed && signIn?.oidc === undefined;
  const workloads = new TrustedWorkloads(signIn?.workloads ?? [], { now, warn });
  const uses = new TokenUse(accounts, { now, warn });
  const authorizer = createAuthorizer({
    state,
    brought: workloads,
    isOpen,
    now,
    onDenied: ({ identity, permission, target }) =>
      accessLog.record({
        kind: 'denied',
        actor: identity.name,
        origin: identity.origin,
        model: target.kind === 'model' ? target.model : undefined,
        details: { needs: permission, ...(target.kind === 'model' && target.alias ? { alias: target.alias } : {}) },
      }),
  });
  const repositoryTokens = new RepositoryTokens({ own, now, isCurrent: authorizer.isCurrent });
  const identifying: IdentifierOptions = {
    state,
    sessions,
    passwords: new PasswordChecker(() => performance.now()),
    limits: new SignInLimits(() => performance.now()),
    workloads: workloads.isEmpty ? undefined : workloads,
    repositoryTokens,
    isOpen,
    now,
    onTokenUsed: (id) => uses.note(id),
    onSignIn: (name, origin, ok) =>
      accessLog.record({
        kind: ok ? 'signed-in' : 'sign-in-failed',
        actor: name,
        origin,
        details: { with: 'password' },
      }),
  };
  const firstToken = isOpen() || state.hasAdmin(now().getTime()) ? undefined : await first(accounts);
  return {
    state,
    accounts,
    sessions,
    authorizer,
    identify: createIdentifier(identifying),
    identifyAtOnce: (credentials) => identifyAtOnce(credentials, identifying),
    repositoryTokens,
    oidc: signIn?.oidc && openOidc(signIn.oidc, { own, accounts, now, random }),
    isOpen,
    isCurrent: authorizer.isCurrent,
    signIn: (name, password, origin) => byPassword(name, password, origin, identifying),
    firstToken,
    [Symbol.asyncDispose]: async () => {
      state[Symbol.dispose]();
      await uses[Symbol.asyncDispose]();
    },
  };
}

/** Of servers that start together over one database, one makes it. */
async function first(accounts: Accounts): Promise<string | undefined> {
  const scopes = [{ role: 'admin', scope: '*' }] as const;
  try {
    const { token } = await accounts.addToken({ name: 'first-admin', scopes, ifNobodyAdministers: true }, 'server');
    return token;
  } catch (error) {
    if (isIngotError(error, 'conflict')) return undefined;
    throw error;
  }
}
