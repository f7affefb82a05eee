import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { IngotError } from '../errors.ts';
import type { HashedLayer } from './manifest.ts';
import { createTarDigester } from './tar-digester.ts';

/** Others get their turn after this much. */
const TURN_BYTES = 4 * 1024 * 1024;
const TURN_FILES = 100;

/**
 * Checks a tar layer's own digest over the files it stands for, as they lie in a directory.
 * @throws IngotError `integrity`, `interrupted`.
 */
export async function verifyTar(
  layer: HashedLayer & { readonly kind: 'tar' },
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const tar = createTarDigester();
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  let [bytes, files] = [0, 0];
  for (const file of layer.files) {
    tar.begin(file);
    const fd = openSync(join(directory, file.path), 'r');
    try {
      for (let at = 0; at < file.sizeBytes; ) {
        const count = readSync(fd, buffer, 0, Math.min(buffer.length, file.sizeBytes - at), at);
        if (count === 0) break;
        tar.update(buffer.subarray(0, count));
        at += count;
        bytes += count;
        if (bytes < TURN_BYTES) continue;
        bytes = 0;
        await setImmediate();
        if (signal?.aborted === true)
          throw new IngotError('interrupted', 'pull was interrupted', { operation: 'unpack', cause: signal.reason });
      }
    } finally {
      closeSync(fd);
    }
    files += 1;
    if (files % TURN_FILES === 0) await setImmediate();
  }
  const digest = tar.finish();
  if (digest === layer.digest) return;
  throw new IngotError(
    'integrity',
    `the files below "${layer.directory}" are not those of the manifest: ${digest} instead of ${layer.digest}`,
    { operation: 'unpack' },
  );
}
