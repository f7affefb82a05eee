import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot audit accept NAME ALIAS`: lets count what a protected alias names though it was moved past the server. */
export async function run(context: Context): Promise<Result> {
  const model = parseModelName(context.arguments.argument(0));
  const alias = context.arguments.argument(1);
  await serverOfRegistry(context).ask('/audit/flagged/accept', { method: 'POST', body: { model, alias } });
  return {
    json: { model, alias, accepted: true },
    quiet: [`${model}@${alias}`],
    human: () => `${context.terminal.out.colors.bold(`${model}@${alias}`)} counts as the log has it\n`,
  };
}
