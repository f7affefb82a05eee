import { parseAlias, parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { parseVersionOf } from './model-reference.ts';
import { aliasMoved } from './move-alias.ts';
import { reasonOf } from './reason.ts';

/** `ingot alias set NAME ALIAS REF [-m REASON]`: points an alias at a version. */
export async function run(context: Context): Promise<Result> {
  const model = parseModelName(context.arguments.argument(0));
  const alias = parseAlias(context.arguments.argument(1));
  const reference = parseVersionOf(model, context.arguments.argument(2));
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const { number } = await registry.resolve(reference, context);
  const move = await registry.setAlias(model, alias, number, { signal: context.signal, ...reasonOf(context) });
  return await aliasMoved({ model, registry, move }, context);
}
