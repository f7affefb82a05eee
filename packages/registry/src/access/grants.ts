/**
 * A *grant* gives a role in a *scope*: `*` the server, `team/` a namespace, `team/churn` a model. Limited to aliases it
 * gives reading, and moving those aliases. *Rights* are grants put in the order in which they are asked.
 */

import { IngotError } from '@ingot/core/errors';
import { parseAlias, parseModelName } from '@ingot/core/ref';
import type { Permission, Target } from './identity.ts';

/** Roles, each with all that those before it have. */
export const ROLES = ['reader', 'pusher', 'promoter', 'admin'] as const;

/** A set of permissions. */
export type Role = (typeof ROLES)[number];

/** A role, and where it counts. */
export interface Grant {
  readonly role: Role;
  /** `*`, `team/` or a model's name. */
  readonly scope: string;
  /** Only these aliases may be moved, and nothing be pushed. Only of promoters. Default: all. */
  readonly aliases?: readonly string[];
}

/** What grants come to. */
export interface Rights {
  readonly server: number;
  /** By `team`, without the slash. */
  readonly namespaces: ReadonlyMap<string, number>;
  readonly models: ReadonlyMap<string, number>;
  /** Aliases that may be moved, by scope. */
  readonly aliases: ReadonlyMap<string, ReadonlySet<string>>;
}

const BITS: Readonly<Record<Permission, number>> = { read: 1, push: 2, promote: 4, admin: 8 };
const MASKS: Readonly<Record<Role, number>> = { reader: 1, pusher: 3, promoter: 7, admin: 15 };

/** Says whether a text names a role. */
export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}

/**
 * Checks a grant as somebody wrote it.
 * @throws IngotError `invalid-name` for a scope or alias that cannot be, `usage` for aliases of another role than promoter.
 */
export function parseGrant(grant: Grant): Grant {
  const { role, scope, aliases } = grant;
  if (scope !== '*') parseModelName(scope.endsWith('/') ? `${scope}x` : scope);
  if (scope !== '*' && scope.endsWith('/') && scope.indexOf('/') !== scope.length - 1)
    throw new IngotError('invalid-name', `"${scope}" is no namespace: it is one name and "/"`);
  if (aliases === undefined) return { role, scope };
  if (role !== 'promoter' || aliases.length === 0)
    throw new IngotError('usage', 'aliases limit the role promoter, and at least one is named', {
      hint: 'ingot grant ana promoter --on churn --alias staging',
    });
  return { role, scope, aliases: [...new Set(aliases.map(parseAlias))] };
}

/** Puts grants in the order in which they are asked. */
export function rightsOf(grants: readonly Grant[]): Rights {
  let server = 0;
  const namespaces = new Map<string, number>();
  const models = new Map<string, number>();
  const aliases = new Map<string, Set<string>>();
  for (const { role, scope, aliases: only } of grants) {
    const mask = only === undefined ? MASKS[role] : BITS.read;
    if (scope === '*') server |= mask;
    else if (scope.endsWith('/')) add(namespaces, scope.slice(0, -1), mask);
    else add(models, scope, mask);
    if (only !== undefined) aliases.set(scope, new Set([...(aliases.get(scope) ?? []), ...only]));
  }
  return { server, namespaces, models, aliases };
}

function add(masks: Map<string, number>, key: string, mask: number): void {
  masks.set(key, (masks.get(key) ?? 0) | mask);
}

/** Says whether rights allow something. */
export function allows(rights: Rights, permission: Permission, target: Target): boolean {
  const bit = BITS[permission];
  if ((rights.server & bit) !== 0) return true;
  if (target.kind === 'server') return false;
  const { model, alias } = target;
  if (((rights.models.get(model) ?? 0) & bit) !== 0) return true;
  const slash = model.indexOf('/');
  const namespace = slash < 0 ? undefined : model.slice(0, slash);
  if (namespace !== undefined && ((rights.namespaces.get(namespace) ?? 0) & bit) !== 0) return true;
  if (permission !== 'promote' || alias === undefined || rights.aliases.size === 0) return false;
  const scopes = namespace === undefined ? ['*', model] : ['*', `${namespace}/`, model];
  return scopes.some((scope) => rights.aliases.get(scope)?.has(alias) === true);
}
