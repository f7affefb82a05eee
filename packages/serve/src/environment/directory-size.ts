import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Adds up the files below a directory, in bytes; links count nothing, and neither does what vanishes meanwhile. */
export async function directorySize(directory: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += await directorySize(path);
    else if (entry.isFile()) bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
