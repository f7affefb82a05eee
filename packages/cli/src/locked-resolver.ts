import { IngotError, isIngotError } from '@ingot/core/errors';
import type { Reference } from '@ingot/core/ref';
import type { RegistryOptions, ResolvedVersion, VersionResolver } from '@ingot/core/registry/registry';
import { type LockedVersion, type LockFile, normal } from './lock-file.ts';

/** How a lock counts. */
export interface LockedResolverOptions {
  readonly lock: LockFile;
  /** Refuse references that it does not pin. Default: they are resolved as ever. */
  readonly strict?: boolean;
}

/**
 * Resolves pinned references to what the lock says, wherever their alias is now. The store is asked whether it still has
 * exactly that; while it does not answer, the lock alone is enough.
 * @throws IngotError `conflict` (the version is gone, belongs to a model made anew, or is not pinned and has to be),
 *   `integrity` (the store has another package under its number).
 */
export function lockedResolver(
  inner: VersionResolver,
  { lock, strict = false }: LockedResolverOptions,
): VersionResolver {
  return {
    resolve: async (reference, options) => {
      const locked = lock.references.get(normal(reference));
      if (locked !== undefined) return await pinned(reference, locked, inner, lock, options);
      if (strict) throw notPinned(reference, lock);
      return await inner.resolve(reference, options);
    },
  };
}

async function pinned(
  reference: Reference,
  locked: LockedVersion,
  inner: VersionResolver,
  lock: LockFile,
  options: RegistryOptions | undefined,
): Promise<ResolvedVersion> {
  const { model, number } = locked;
  const says = `${lock.path} pins ${normal(reference)} to ${model}:${number}`;
  try {
    const found = await inner.resolve({ name: model, selector: { kind: 'version', number } }, options);
    if (found.modelId !== locked.modelId)
      throw mismatch('conflict', `${says} of a model that was made anew since`, found);
    if (found.manifest !== locked.manifest)
      throw mismatch('integrity', `${says} with ${locked.manifest}, and the store has ${found.manifest}`, found);
    return { ...found, reference };
  } catch (error) {
    if (isIngotError(error, 'model-not-found', 'version-not-found'))
      throw mismatch('conflict', `${says}, which the store does not have`, undefined, error);
    if (!isIngotError(error, 'unavailable', 'timeout', 'overloaded', 'store-not-found')) throw error;
    return { ...locked, reference };
  }
}

function mismatch(
  code: 'conflict' | 'integrity',
  message: string,
  found: ResolvedVersion | undefined,
  cause?: unknown,
): IngotError {
  return new IngotError(code, message, {
    operation: 'lock',
    cause,
    hint: 'ingot lock --update   (pins what the references mean now)',
    ...(found !== undefined && { details: { digest: found.manifest } }),
  });
}

function notPinned(reference: Reference, { path, references }: LockFile): IngotError {
  return new IngotError('conflict', `${path} does not pin ${normal(reference)}, and only what it pins is allowed`, {
    operation: 'lock',
    hint: `ingot lock ${normal(reference)}`,
    details: { pinned: [...references.keys()] },
  });
}
