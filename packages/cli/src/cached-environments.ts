import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '@ingot/core/errors';

/** A Python environment that was built for packages. */
export interface CachedEnvironment {
  readonly digest: string;
  readonly sizeBytes: number;
  /** ISO 8601; when it was made. */
  readonly usedAt: string;
  readonly path: string;
}

/** Lists the environments of the cache, the newest first. One without `ready.json` is still being made. */
export async function listEnvironments(cacheRoot: string): Promise<CachedEnvironment[]> {
  const root = join(cacheRoot, 'environments');
  const found: CachedEnvironment[] = [];
  for (const name of await namesIn(root)) {
    const path = join(root, name);
    const ready = await stat(join(path, 'ready.json')).catch(() => undefined);
    if (ready === undefined) continue;
    found.push({ digest: name, sizeBytes: await sizeOf(path), usedAt: ready.mtime.toISOString(), path });
  }
  return found.sort((a, b) => (a.usedAt < b.usedAt ? 1 : -1));
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
