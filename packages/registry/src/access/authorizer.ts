import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import type { AccessState } from './access-state.ts';
import { allows, type Rights } from './grants.ts';
import type { Authorizer, Identity, Permission, Target } from './identity.ts';

/** Something that was asked for and not allowed. */
export interface Denial {
  readonly identity: Identity;
  readonly permission: Permission;
  readonly target: Target;
}

/** Rights of those who bring their grants with them, by subject: workloads of a build server. */
export interface BroughtRights {
  rightsOf(subject: string): Rights | undefined;
}

/** What decides. */
export interface AuthorizerOptions {
  readonly state: AccessState;
  readonly brought: BroughtRights;
  /** Whether whoever comes without credentials may do everything. */
  readonly isOpen: () => boolean;
  readonly now: () => Date;
  readonly onDenied: (denial: Denial) => void;
}

/** Decides, and says who is still somebody. */
export interface WatchingAuthorizer extends Authorizer {
  /** Whether an identity may do anything at all: not once its token or account has ended. */
  isCurrent(identity: Identity): boolean;
}

/** Makes the authorizer over what is known of accounts, tokens and grants. All of it is in memory. */
export function createAuthorizer(options: AuthorizerOptions): WatchingAuthorizer {
  const may: Authorizer['may'] = (identity, permission, target) => {
    if (identity.limit?.(permission, target) === false) return false;
    if (identity.kind === 'open') return options.isOpen();
    const rights = identity.subject === undefined ? undefined : limitsOf(identity.subject, options);
    return rights !== undefined && rights.length > 0 && rights.every((each) => allows(each, permission, target));
  };
  return {
    may,
    isCurrent: ({ kind, subject }) =>
      kind === 'open' ? options.isOpen() : subject !== undefined && limitsOf(subject, options).length > 0,
    check: (identity, permission, target) => {
      if (may(identity, permission, target)) return;
      if (identity.kind === 'nobody') throw signInFirst();
      options.onDenied({ identity, permission, target });
      throw target.kind === 'model' && !may(identity, 'read', target)
        ? hidden(target.model)
        : forbidden(identity, permission, target);
    },
  };
}

/**
 * Refuses who may not make a model, or give its name to another. Not with the words of one that is not there, which it
 * need not be: who may not is told so in the same words whether there is one.
 * @param needs default: `push`.
 * @throws IngotError `unauthenticated`, `forbidden`.
 */
export function checkMaking(
  authorizer: Authorizer,
  identity: Identity,
  model: ModelName,
  needs: 'push' | 'admin' = 'push',
): void {
  const target = { kind: 'model', model } as const;
  try {
    authorizer.check(identity, needs, target);
  } catch (error) {
    throw isIngotError(error, 'model-not-found') ? forbidden(identity, needs, target) : error;
  }
}

/** All of which must allow: a token may what its account may, and its scopes say. */
function limitsOf(subject: string, options: AuthorizerOptions): readonly Rights[] {
  const { state } = options;
  const [kind, id = ''] = subject.split(':', 2);
  if (kind === 'account') return accountRights(id, state);
  if (kind === 'workload') {
    const rights = options.brought.rightsOf(subject);
    return rights === undefined ? [] : [rights];
  }
  const token = kind === 'token' ? state.token(id) : undefined;
  if (token === undefined || token.expiresAt <= options.now().getTime()) return [];
  const scopes = token.scopes === undefined ? [] : [state.rights(subject, token.scopes)];
  if (token.account === undefined) return scopes;
  const owner = accountRights(token.account, state);
  return owner.length === 0 ? [] : [...owner, ...scopes];
}

function accountRights(id: string, state: AccessState): readonly Rights[] {
  const account = state.account(id);
  return account === undefined || account.isDisabled ? [] : [state.rights(`account:${id}`, account.grants)];
}

/** What somebody is told who has not said who they are. */
export function signInFirst(): IngotError {
  return new IngotError('unauthenticated', 'this server asks who you are', {
    hint: 'ingot login URL   (or INGOT_TOKEN=…)',
  });
}

// The words of a registry that has no such model: what nobody may see does not exist.
function hidden(model: string): IngotError {
  return new IngotError('model-not-found', `there is no model "${model}"`, { hint: 'ingot ls', details: { model } });
}

function forbidden({ name }: Identity, permission: Permission, target: Target): IngotError {
  const where = target.kind === 'server' ? 'this server' : `"${target.model}"`;
  const alias = target.kind === 'model' && target.alias !== undefined ? ` @${target.alias}` : '';
  return new IngotError('forbidden', `${name} may not ${WORDS[permission]} ${where}${alias}`, {
    details: { needs: permission },
    hint: `ingot grant ${name} ${NEEDS[permission]} --on ${target.kind === 'server' ? "'*'" : target.model}   (by an admin)`,
  });
}

const WORDS: Readonly<Record<Permission, string>> = {
  read: 'read',
  push: 'push to',
  promote: 'move aliases of',
  admin: 'administer',
};

const NEEDS: Readonly<Record<Permission, string>> = {
  read: 'reader',
  push: 'pusher',
  promote: 'promoter',
  admin: 'admin',
};
