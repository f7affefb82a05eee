import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { plain } from '../output/terminal.ts';
import { reasonOf } from './reason.ts';

/** `ingot stage REF STAGE`: puts a version in a stage, or with None in none. */
export async function run(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  const stage = context.arguments.argument(1);
  await using store = await openStore(context, { writes: true });
  const wanted = stage.toLowerCase() === 'none' ? null : stage;
  const version = await store.registry.setStage(reference, wanted, { signal: context.signal, ...reasonOf(context) });
  const ref = `${version.model}:${version.number}`;
  const where = version.stage === undefined ? 'in no stage' : `in stage ${plain(version.stage)}`;
  return { json: { version }, quiet: [ref], human: () => `${context.terminal.out.colors.bold(ref)} is ${where}\n` };
}
