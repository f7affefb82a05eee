import { IngotError } from '@ingot/core/errors';
import type { Context, Result } from '../context.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot account rm NAME`: removes an account with its grants, tokens and sessions. */
export async function run(context: Context): Promise<Result> {
  const name = context.arguments.argument(0);
  const api = serverOfRegistry(context);
  if (!context.arguments.isOn('yes')) {
    const answer = context.format === 'human' ? await context.confirm(`remove the account ${name}?`) : undefined;
    if (answer === false) throw new IngotError('interrupted', 'nothing was removed');
    if (answer === undefined)
      throw new IngotError('usage', `removing ${name} needs --yes where nobody can be asked`, {
        hint: `ingot account rm ${name} --yes`,
      });
  }
  await api.ask(`/accounts/${encodeURIComponent(name)}`, { method: 'DELETE' });
  return { json: { removed: name }, quiet: [name], human: () => `removed the account ${name}\n` };
}
