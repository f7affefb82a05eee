import { IngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { parseMetrics, parseTags } from '../verbs/parse.ts';

/** `ingot edit REF`: changes a version's description, tags or metrics. */
export async function run(context: Context): Promise<Result> {
  const text = context.arguments.argument(0);
  const reference = parseReference(text);
  const description = context.arguments.text('description');
  const tags = Object.entries(parseTags(context.arguments.list('tag'))).map(
    ([key, value]) => [key, value === '' ? null : value] as const,
  );
  const metrics = parseMetrics(context.arguments.list('metric'));
  if (description === undefined && tags.length === 0 && Object.keys(metrics).length === 0) {
    throw new IngotError('usage', 'nothing to change: give --description, --tag or --metric', {
      hint: `ingot edit ${text} --tag team=growth`,
    });
  }
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const changes = { ...(description === undefined ? {} : { description }), tags: Object.fromEntries(tags), metrics };
  const version = await registry.update(reference, changes, context);
  const ref = `${version.model}:${version.number}`;
  return { json: { version }, quiet: [ref], human: () => `${context.terminal.out.colors.bold(ref)} changed\n` };
}
