import { parseAlias, parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { aliasMoved } from './move-alias.ts';
import { reasonOf } from './reason.ts';

/** `ingot alias rm NAME ALIAS [-m REASON]`: removes an alias. */
export async function run(context: Context): Promise<Result> {
  const model = parseModelName(context.arguments.argument(0));
  const alias = parseAlias(context.arguments.argument(1));
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const move = await registry.removeAlias(model, alias, { signal: context.signal, ...reasonOf(context) });
  return await aliasMoved({ model, registry, move }, context);
}
