import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { reasonOf } from './reason.ts';

/** `ingot retire REF [-m REASON]`: keeps a version, but `latest` passes it by. */
export async function run(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  await using store = await openStore(context, { writes: true });
  const { registry } = store;
  const version = await registry.retire(reference, { signal: context.signal, ...reasonOf(context) });
  const ref = `${version.model}:${version.number}`;
  return {
    json: { version },
    quiet: [ref],
    human: () => `${context.terminal.out.colors.bold(ref)} is retired; its files stay\n`,
    notes:
      version.aliases.length > 0 ? [`still named by ${version.aliases.map((alias) => `@${alias}`).join(', ')}`] : [],
  };
}
