import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { makeDirectory } from '@ingot/core/make-directory';

const NOT_WRITABLE = ['EROFS', 'EACCES', 'EPERM'];

/**
 * Makes a directory of the cache, for its owner alone, unless it is there.
 * @throws IngotError `forbidden` where nothing can be written, as in a container without a volume there; what the system
 * says of anything else.
 */
export async function makeWritable(directory: string): Promise<void> {
  try {
    await makeDirectory(directory, { mode: 0o700 });
  } catch (cause) {
    const system = systemErrorCode(cause) ?? '';
    if (!NOT_WRITABLE.includes(system)) throw cause;
    throw new IngotError(
      'forbidden',
      `no environment can be made: nothing can be written to ${directory} (${system})`,
      {
        hint: 'INGOT_CACHE=DIR names another directory; a container wants a volume there',
        cause,
      },
    );
  }
}

/**
 * Makes a new directory for a while, of a name of its own, in a directory of the cache that need not be there yet.
 * @param prefix what its name begins with: `.target-`.
 * @throws IngotError as `makeWritable` does.
 */
export async function makeScratch(cacheDirectory: string, prefix: string): Promise<string> {
  await makeWritable(cacheDirectory);
  return await mkdtemp(join(cacheDirectory, prefix));
}
