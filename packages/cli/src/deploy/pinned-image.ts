import { IngotError, isIngotError } from '@ingot/core/errors';
import { formatRegistryAddress, parseRegistryAddress, referenceOf } from '@ingot/core/oci/registry-address';
import type { Context } from '../context.ts';
import { warningsOf } from '../open.ts';
import { openRepository } from '../open-repository.ts';

/** A registry that is silent keeps nobody waiting longer. */
const LONGEST_MS = 15_000;

/**
 * An image's name as it goes into a file: by its digest, which nobody can move, where its registry says it. A registry
 * that cannot be reached from here keeps nobody from deploying.
 * @throws IngotError `usage` for what is no name of an image, `not-found` where the registry does not have it.
 */
export async function pinnedImage(text: string, flag: string, context: Context): Promise<string> {
  const name = parsed(text, flag);
  if (name.digest !== undefined || context.settings.isOn('offline')) return formatRegistryAddress(name);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(LONGEST_MS)]);
  try {
    const repository = await openRepository(name, context);
    const { digest } = await repository.manifest(referenceOf(name), { signal });
    return formatRegistryAddress({ ...name, digest });
  } catch (error) {
    if (!isIngotError(error) || context.signal.aborted || error.code === 'not-found') throw error;
    warningsOf(context)(`${text} stays named by its tag, as its registry could not be asked: ${error.message}`);
    return formatRegistryAddress(name);
  }
}

function parsed(text: string, flag: string) {
  try {
    return parseRegistryAddress(text);
  } catch (error) {
    if (!isIngotError(error)) throw error;
    throw new IngotError('usage', `${flag}: ${error.message}`, {
      hint: `${flag} registry.example.com/team/name:tag`,
      cause: error,
    });
  }
}
