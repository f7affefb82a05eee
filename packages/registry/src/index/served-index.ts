import { IngotError, isIngotError } from '@ingot/core/errors';
import { type IndexedRegistry, type IndexedRegistryOptions, openIndexedRegistry } from './indexed-registry.ts';
import { NAMES, placeOf } from './projector.ts';
import { rebuildIndex } from './rebuild.ts';

/**
 * Opens the index for a server that starts: one that is empty is first built from the logs, so that nothing is answered
 * from half an index. A store that is away then is no index at all.
 * @throws IngotError `unavailable` when the index is empty and the store does not answer.
 */
export async function openServedIndex(options: IndexedRegistryOptions): Promise<IndexedRegistry> {
  const { database, blobs, log, now } = options;
  if ((await placeOf(database.index, NAMES)).seq === 0) {
    try {
      const { models, versions, problems } = await rebuildIndex({ index: database.index, blobs, now });
      if (models > 0) log('info', 'the index was built from the logs', { models, versions, problems: problems.length });
    } catch (error) {
      if (!isIngotError(error) || error.code === 'unavailable') throw error;
      throw new IngotError('unavailable', `the index cannot be built: ${error.message}`, { cause: error });
    }
  }
  return openIndexedRegistry(options);
}
