import { createWriteStream } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LayerEntry, LayerFile } from '@ingot/core/deploy/image-layer';
import { IngotError } from '@ingot/core/errors';
import { isPackagePath } from '@ingot/core/package/paths';
import { flush } from '@ingot/core/make-durable';

/** Where a layer's files go. */
export interface PlaceOptions {
  /** The directory of the layer that is placed: its entries lie below. */
  readonly below: string;
  readonly directory: string;
  /** The file that says that all others are there: taken away before anything is written, written at the end. */
  readonly last: string;
}

/**
 * Writes the files of a layer to a directory.
 * @throws IngotError `invalid-package` for a path that leads elsewhere, `integrity` for a file of another size.
 */
export async function placeLayer(
  entries: readonly LayerEntry[],
  { below, directory, last }: PlaceOptions,
): Promise<void> {
  const files = entries.filter((entry) => entry.kind === 'file').map((file) => ({ file, path: pathIn(file, below) }));
  await mkdir(directory, { recursive: true });
  await rm(join(directory, last), { force: true });
  const ordered = [...files.filter(({ path }) => path !== last), ...files.filter(({ path }) => path === last)];
  for (const { file, path } of ordered) await writeOne(file, join(directory, path));
}

function pathIn({ path }: LayerFile, below: string): string {
  const inner = path.slice(below.length + 1);
  if (path.startsWith(`${below}/`) && isPackagePath(inner)) return inner;
  throw new IngotError('invalid-package', `"${path}" is no path of a model`, { operation: 'place' });
}

async function writeOne(file: LayerFile, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // What lies there may be read-only, or a link.
  await rm(path, { force: true });
  let sizeBytes = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of file.open()) {
      sizeBytes += piece.byteLength;
      yield piece;
    }
  };
  await pipeline(Readable.from(counted()), createWriteStream(path, { flags: 'wx' }));
  if (sizeBytes !== file.sizeBytes)
    throw new IngotError('integrity', `${path} has ${sizeBytes} bytes and not ${file.sizeBytes}`, {
      operation: 'place',
    });
  await chmod(path, file.mode ?? 0o644);
  await flush(path);
}
