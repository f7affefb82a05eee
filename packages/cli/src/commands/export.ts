import { IngotError } from '@ingot/core/errors';
import { isOciAddress } from '@ingot/core/source/oci-address';
import type { Context, Result } from '../context.ts';
import { exportToBundle } from './export-bundle.ts';

/** `ingot export REF… -o FILE.tar`: writes versions to where no registry is. */
export async function run(context: Context): Promise<Result> {
  const output = context.arguments.text('output');
  if (output === undefined)
    throw new IngotError('usage', 'say where it goes', { hint: 'ingot export churn@production -o churn.tar' });
  if (isOciAddress(output)) return await (await import('./export-artifact.ts')).exportArtifacts(output, context);
  if (output === '-')
    throw new IngotError('usage', 'a bundle gets its name when it is whole, and so is a file', {
      hint: 'ingot export churn@production -o churn.tar && cat churn.tar',
    });
  return await exportToBundle(output, context);
}
