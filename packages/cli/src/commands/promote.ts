import { parseAlias, parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { aliasMoved } from './move-alias.ts';
import { checkPromotion } from './promote-check.ts';
import { reasonOf } from './reason.ts';

/** `ingot promote REF [ALIAS]`: points production, or another alias, at a version. */
export async function run(context: Context): Promise<Result> {
  if (context.arguments.text('from') !== undefined || context.arguments.text('to') !== undefined)
    return await (await import('./promote-between.ts')).promoteToAnother(context);
  const reference = parseReference(context.arguments.argument(0));
  const alias = parseAlias(context.arguments.argument(1) || 'production');
  const dryRun = context.arguments.isOn('dry-run');
  await using store = await openStore(context, { writes: !dryRun });
  const { registry } = store;
  const { model, number } = await registry.resolve(reference, context);
  if (dryRun) return await checkPromotion({ model, number, alias, isServer: store.isServer === true }, context);
  const move = await registry.setAlias(model, alias, number, { signal: context.signal, ...reasonOf(context) });
  return await aliasMoved({ model, registry, move }, context);
}
