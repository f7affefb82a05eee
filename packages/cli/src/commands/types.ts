import { declareTypes } from '@ingot/core/declare-types';
import { IngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { describeVersion } from '../describe-version.ts';
import { openStore } from '../open.ts';

/** `ingot types REF`: prints TypeScript declarations of a model's input row and output. */
export async function run(context: Context): Promise<Result> {
  const reference = parseReference(context.arguments.argument(0));
  await using store = await openStore(context);
  const { version, package: described } = await describeVersion(store, reference, context);
  const { model, number } = version;
  const signature = version.signature ?? described.signature;
  if (signature === undefined || signature.inputs.length === 0)
    throw new IngotError('invalid-package', `nothing says what ${model}:${number} takes and answers`, {
      hint: 'name input_features and output in metadata.yaml, or push a model with an example, and push again',
    });
  const types = declareTypes({ model, number, signature });
  return {
    json: { ref: `${model}:${number}`, types },
    quiet: [types.trimEnd()],
    human: () => types,
  };
}
