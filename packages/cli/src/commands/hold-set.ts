import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { plain } from '../output/terminal.ts';
import { reasonOf } from './reason.ts';

/** `ingot hold set NAME|REF HOLD`: forbids deletion of a model or a version. */
export async function run(context: Context): Promise<Result> {
  const text = context.arguments.argument(0);
  const hold = context.arguments.argument(1);
  const reference = parseReference(text);
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const number = /[:@]/.test(text) ? (await registry.resolve(reference, context)).number : null;
  await registry.setHold(reference.name, { hold, number }, { signal: context.signal, ...reasonOf(context) });
  const ref = number === null ? reference.name : `${reference.name}:${number}`;
  return {
    json: { model: reference.name, number, hold },
    quiet: [ref],
    human: () => `${context.terminal.out.colors.bold(ref)} cannot be deleted until hold ${plain(hold)} is released\n`,
  };
}
