import { IngotError } from '@ingot/core/errors';
import type { ModelName, Reference } from '@ingot/core/ref';
import { parseReference } from '@ingot/core/ref';
import type { Registry } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { parseVersionOf } from './model-reference.ts';
import { aliasMoved } from './move-alias.ts';
import { reasonOf } from './reason.ts';

/** `ingot rollback NAME[@ALIAS]`: points an alias back at the version it named before. */
export async function run(context: Context): Promise<Result> {
  const text = context.arguments.argument(0);
  const { name, selector } = parseReference(text);
  const alias = aliasIn(selector, text);
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const current = await registry.resolve({ name, selector: { kind: 'alias', alias } }, context);
  const number = await target(registry, current.model, alias, context);
  const options = { signal: context.signal, expected: current.number, ...reasonOf(context) };
  return await aliasMoved(
    { model: current.model, registry, move: await registry.setAlias(current.model, alias, number, options) },
    context,
  );
}

function aliasIn(selector: Reference['selector'], text: string): string {
  if (selector.kind === 'alias') return selector.alias;
  if (selector.kind === 'latest') return 'production';
  throw new IngotError('usage', `"${text}" names a version; rollback moves an alias`, {
    hint: `ingot rollback ${text.split(/[:@]/)[0]}@production --to ${text}`,
  });
}

async function target(registry: Registry, name: ModelName, alias: string, context: Context): Promise<number> {
  const to = context.arguments.text('to');
  if (to !== undefined) return (await registry.resolve(parseVersionOf(name, to), context)).number;
  const previous = await registry.previousAliasTarget(name, alias, context);
  if (previous !== undefined) return previous;
  throw new IngotError(
    'version-not-found',
    `"${name}@${alias}" has named no other version before, so there is nothing to go back to`,
    {
      hint: `ingot rollback ${name}@${alias} --to VERSION   (ingot ls ${name} lists them)`,
    },
  );
}
