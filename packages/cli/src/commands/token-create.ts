import { IngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import type { Context, Result } from '../context.ts';
import { grantOf } from '../grant-options.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot token create NAME`: makes a token and shows it, once. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given } = context;
  const role = given.text('role');
  const account = given.text('account');
  if (role === undefined && (given.text('on') !== undefined || given.list('alias').length > 0))
    throw new IngotError('usage', '--on and --alias limit a role: name it with --role');
  const body: JsonObject = {
    name: given.argument(0),
    ...(given.isOn('service') && { service: true }),
    ...(account !== undefined && { account }),
    ...(role !== undefined && { scopes: [grantOf(role, context)] }),
    ...expiry(given.text('expires')),
  };
  const token = await serverOfRegistry(context).ask('/tokens', { method: 'POST', body });
  return {
    json: token,
    quiet: [String(token.token)],
    human: () => `${String(token.token)}\n`,
    notes: [`it is shown this once; \`ingot token revoke ${String(token.id)}\` ends it`],
  };
}

function expiry(days: string | undefined): JsonObject {
  if (days === undefined) return {};
  const number = Number(days.replace(/d$/, ''));
  if (!Number.isFinite(number) || number <= 0) throw new IngotError('usage', `--expires takes days, and is "${days}"`);
  return { expiresInDays: number };
}
