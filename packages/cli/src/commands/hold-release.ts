import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { plain } from '../output/terminal.ts';
import { reasonOf } from './reason.ts';

/** `ingot hold release NAME HOLD`: ends a hold. */
export async function run(context: Context): Promise<Result> {
  const model = parseModelName(context.arguments.argument(0));
  const hold = context.arguments.argument(1);
  await using store = await openStore(context, { writes: true });
  await store.registry.releaseHold(model, hold, { signal: context.signal, ...reasonOf(context) });
  return {
    json: { model, hold },
    quiet: [hold],
    human: () => `${context.terminal.out.colors.bold(model)}: hold ${plain(hold)} is released\n`,
  };
}
