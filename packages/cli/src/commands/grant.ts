import type { Context, Result } from '../context.ts';
import { grantOf, grantsText } from '../grant-options.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot grant NAME ROLE`: gives an account a role, or takes it back. */
export async function run(context: Context): Promise<Result> {
  const account = context.arguments.argument(0);
  const grant = grantOf(context.arguments.argument(1), context);
  const path = context.arguments.isOn('remove') ? '/grants/revoke' : '/grants';
  const answer = await serverOfRegistry(context).ask(path, { method: 'POST', body: { account, ...grant } });
  const may = grantsText(answer.grants);
  return {
    json: answer,
    quiet: [account],
    human: () => `${context.terminal.out.colors.bold(account)}: ${may === '' ? 'may nothing' : may}\n`,
  };
}
