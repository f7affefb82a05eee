import type { ContentReader } from '@ingot/core/content/content-store';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { type IndexedRegistry, type IndexedRegistryOptions, openIndexedRegistry } from './indexed-registry.ts';
import { NAMES, placeOf } from './projector.ts';
import { rebuildIndex } from './rebuild.ts';
import { keepFilling } from './version-files.ts';

/** What a server's index is opened with. */
export interface ServedIndexOptions extends IndexedRegistryOptions {
  /** Where recipes are read, which name the files of versions. */
  readonly contents: Pick<ContentReader, 'openRecipe'>;
}

/**
 * Opens the index for a server that starts: one that is empty is first built from the logs, so that nothing is answered
 * from half an index. A store that is away then is no index at all.
 * @throws IngotError `unavailable` when the index is empty and the store does not answer.
 */
export async function openServedIndex(options: ServedIndexOptions): Promise<IndexedRegistry> {
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
  const indexed = openIndexedRegistry(options);
  const filling = keepFilling({ index: database.index, contents: options.contents, log });
  indexed.index.subscribe((_log, events) => {
    if (events.some(({ head }) => head.kind === 'version-published')) filling.nudge();
  });
  const end = async (): Promise<void> => {
    await filling[Symbol.asyncDispose]();
    await indexed[Symbol.asyncDispose]();
  };
  return { ...indexed, [Symbol.asyncDispose]: end };
}
