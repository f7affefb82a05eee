import { IngotError } from '@ingot/core/errors';
import type { JsonObject, JsonValue } from '@ingot/core/json';
import type { Context } from './context.ts';

const ROLES = ['reader', 'pusher', 'promoter', 'admin'];

/** The grant that `ROLE --on SCOPE --alias ALIAS` means. Throws `usage`. */
export function grantOf(role: string, { arguments: given }: Context): JsonObject {
  if (!ROLES.includes(role))
    throw new IngotError('usage', `"${role}" is no role`, { hint: 'reader, pusher, promoter or admin' });
  const aliases = given.list('alias');
  return { role, scope: given.text('on') ?? '*', ...(aliases.length > 0 && { aliases: [...aliases] }) };
}

/** Says a list of grants for people: `pusher of team/, promoter of churn @staging`. */
export function grantsText(grants: JsonValue | undefined): string {
  if (!Array.isArray(grants)) return '';
  return grants.map(grantText).join(', ');
}

function grantText(grant: JsonValue): string {
  if (typeof grant !== 'object' || grant === null || !('role' in grant)) return '';
  const { role, scope, aliases } = grant;
  const where = scope === '*' ? 'the server' : String(scope);
  const only = Array.isArray(aliases) ? ` ${aliases.map((alias) => `@${String(alias)}`).join(' ')}` : '';
  return `${String(role)} of ${where}${only}`;
}
