import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { reasonOf } from './reason.ts';

/** `ingot rename NAME NEW`: gives a model another name. */
export async function run(context: Context): Promise<Result> {
  const from = parseModelName(context.arguments.argument(0));
  const to = parseModelName(context.arguments.argument(1));
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  await registry.rename(from, to, { signal: context.signal, ...reasonOf(context) });
  return {
    json: { model: to, from, to },
    quiet: [to],
    human: () => `${from} is now ${context.terminal.out.colors.bold(to)}\n`,
  };
}
