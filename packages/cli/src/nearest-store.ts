import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { STORE_FORMAT_KEY } from '@ingot/core/content/store-format';
import { nearest } from '@ingot/core/nearest';

const MOST = 1000;

/** Finds the store that was meant by a directory that holds none: the nearest name beside it. Never throws. */
export async function nearestStore(directory: string): Promise<string | undefined> {
  const parent = dirname(resolve(directory));
  try {
    const names = (await readdir(parent)).slice(0, MOST).filter((name) => name !== basename(directory));
    const near = nearest(basename(directory), names);
    if (near === undefined) return undefined;
    await stat(join(parent, near, STORE_FORMAT_KEY));
    return join(parent, near);
  } catch {
    // Names are a help: where they cannot be read nothing is near.
    return undefined;
  }
}
