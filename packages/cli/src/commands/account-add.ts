import { askSecret } from '../ask-secret.ts';
import type { Context, Result } from '../context.ts';
import { grantOf, grantsText } from '../grant-options.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot account add NAME`: makes an account; its password comes from standard input. */
export async function run(context: Context): Promise<Result> {
  const name = context.arguments.argument(0);
  const role = context.arguments.text('role');
  const grants = role === undefined ? [] : [grantOf(role, context)];
  const api = serverOfRegistry(context);
  const password = await askSecret(context, `password for ${name}`);
  const account = await api.ask('/accounts', { method: 'POST', body: { name, password, grants } });
  const may = grantsText(account.grants);
  return {
    json: account,
    quiet: [name],
    human: () => `account ${context.terminal.out.colors.bold(name)}: ${may === '' ? 'may nothing yet' : may}\n`,
    notes: may === '' ? [`ingot grant ${name} reader`] : [],
  };
}
