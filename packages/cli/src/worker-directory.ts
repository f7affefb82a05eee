import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IngotError } from '@ingot/core/errors';

/** Where the Python worker may lie: seen from a chunk of the bundle, from the bundle, from both in a wheel, and from the sources. */
const PLACES = ['../worker/', './worker/', '../../../_worker/', '../../_worker/', '../../../python/src/ingot/_worker/'];

/** Finds the directory of the Python worker. Throws `unexpected` when the installation is not whole. */
export function workerDirectory(): string {
  for (const place of PLACES) {
    const url = new URL(place, import.meta.url);
    if (existsSync(new URL('main.py', url))) return fileURLToPath(url);
  }
  throw new IngotError('unexpected', 'the Python worker is missing from this installation', {
    hint: 'npm run build   (in a clone; else install ingot again)',
  });
}
