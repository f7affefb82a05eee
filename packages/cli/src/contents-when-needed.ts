import type { ContentStore } from '@ingot/core/content/content-store';

/**
 * Gives a content store whose code is loaded by its first use: most commands only ask the registry. `load` is called once.
 */
export function contentsWhenNeeded(load: () => Promise<ContentStore>): ContentStore {
  let loading: Promise<ContentStore> | undefined;
  const loaded = (): Promise<ContentStore> => {
    loading ??= load();
    return loading;
  };
  return {
    openRecipe: async (ref, options) => (await loaded()).openRecipe(ref, options),
    read: async function* (recipe, digest, options) {
      yield* (await loaded()).read(recipe, digest, options);
    },
    restore: async (recipe, targets, options) => {
      const { restore } = await loaded();
      if (restore === undefined) throw new TypeError('a store over blobs restores');
      return restore(recipe, targets, options);
    },
    openUpload: async (options) => (await loaded()).openUpload(options),
  };
}
