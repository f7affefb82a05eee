import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheNeighbour, CacheNeighbours } from '@ingot/core/package/cache-prune';

/** Layers of images, and Debian packages that bases were made of. */
const FOLDERS = [join('images', 'layers'), join('images', 'debian', 'pool')];

/** What baking keeps in a cache, as neighbours of its packages; what is gone is made or downloaded again. */
export function cachedLayers(cacheRoot: string): CacheNeighbours {
  return {
    list: async () => (await Promise.all(FOLDERS.map((folder) => filesIn(join(cacheRoot, folder))))).flat(),
    remove: ({ path }) => rm(path, { force: true }),
  };
}

/** Whether a neighbour of the cache's packages was kept by baking. */
export function isCachedLayer(cacheRoot: string, { path }: CacheNeighbour): boolean {
  return FOLDERS.some((folder) => path.startsWith(join(cacheRoot, folder)));
}

async function filesIn(folder: string): Promise<CacheNeighbour[]> {
  const names = await readdir(folder).catch(() => []); // nothing was baked yet
  const files = names
    .filter((name) => !name.endsWith('.part'))
    .map(async (name) => {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined); // removed meanwhile
      return found === undefined ? [] : [{ path, sizeBytes: found.size, usedAt: found.mtime.toISOString() }];
    });
  return (await Promise.all(files)).flat();
}
