import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import type { CacheNeighbour, CacheNeighbours } from '@ingot/core/package/cache-prune';

/** A Python environment that was built for packages. */
export interface CachedEnvironment extends CacheNeighbour {
  readonly digest: string;
  /** Version of its Python, where it says so. */
  readonly python?: string;
}

/** A removal that was interrupted leaves a directory of this name, which the next one finishes. */
const LEAVING = '.leaving-';

/** The environments of a cache as neighbours of its packages. */
export function cachedEnvironments(cacheRoot: string): CacheNeighbours {
  const root = join(cacheRoot, 'environments');
  return {
    list: () => listEnvironments(cacheRoot),
    async remove({ path }) {
      const gone = join(root, `${LEAVING}${randomBytes(8).toString('hex')}`);
      await rename(path, gone).catch((error) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
      });
      for (const name of await namesIn(root))
        if (name.startsWith(LEAVING)) await rm(join(root, name), { recursive: true, force: true });
    },
  };
}

/** Lists the environments of the cache, the most recently used first. One without `ready.json` is still being made. */
export async function listEnvironments(cacheRoot: string): Promise<CachedEnvironment[]> {
  const root = join(cacheRoot, 'environments');
  const found: CachedEnvironment[] = [];
  for (const name of await namesIn(root)) {
    if (name.startsWith('.')) continue;
    const environment = await environmentAt(join(root, name), name);
    if (environment !== undefined) found.push(environment);
  }
  return found.sort((a, b) => (a.usedAt < b.usedAt ? 1 : -1));
}

async function environmentAt(path: string, digest: string): Promise<CachedEnvironment | undefined> {
  const ready = join(path, 'ready.json');
  const made = await stat(ready).catch(() => undefined);
  if (made === undefined) return undefined;
  const used = (await stat(join(path, 'used')).catch(() => undefined)) ?? made;
  const { python, sizeBytes } = await factsIn(ready);
  return {
    digest,
    path,
    sizeBytes: typeof sizeBytes === 'number' ? sizeBytes : await sizeOf(path),
    usedAt: used.mtime.toISOString(),
    ...(typeof python === 'string' && { python }),
  };
}

async function factsIn(file: string): Promise<{ readonly python?: unknown; readonly sizeBytes?: unknown }> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return isJsonObject(value) ? value : {};
  } catch {
    // Gone meanwhile, or of another release: what it does not say is found out.
    return {};
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return [];
    throw error;
  }
}

/** Adds up the files below a directory; what vanishes meanwhile counts nothing. */
async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(path);
    else if (entry.isFile()) bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
