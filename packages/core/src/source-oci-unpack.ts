import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { IngotError } from './errors.ts';
import { checkedBlob } from './oci/checked-blob.ts';
import type { LayerPacking } from './oci/media-types.ts';
import type { Descriptor } from './oci/oci-place.ts';
import { unpackArchive } from './package/foreign/unpack-archive.ts';

/**
 * Unpacks the tar of a layer, which was brought here, into a directory. Nothing leaves the directory: links and devices
 * are refused, and so is what would grow out of all proportion.
 * @param limitBytes how large it may become.
 * @throws IngotError `invalid-package`, `integrity`, `disk-full`, `interrupted`.
 */
export async function unpackLayer(
  file: string,
  directory: string,
  options: {
    readonly packing: LayerPacking;
    readonly what: string;
    readonly limitBytes: number;
    readonly signal?: AbortSignal;
  },
): Promise<void> {
  const { packing, what, limitBytes, signal } = options;
  const plain = packing === 'zstd' ? `${file}.plain` : file;
  if (packing === 'zstd') await pipeline(createReadStream(file), zstd(what), createWriteStream(plain));
  // An empty tar is two empty blocks, which look like no archive at all.
  if (packing === 'none' && (await stat(file)).size <= EMPTY_TAR_BYTES) return;
  await unpackArchive(plain, directory, { what, limits: { sizeBytes: limitBytes }, ...(signal && { signal }) });
  if (plain !== file) await rm(plain, { force: true });
}

const EMPTY_TAR_BYTES = 1024;

/** Undoes zstd, where this Node can. */
export function zstd(what: string): Transform {
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress');
  const stream: unknown = typeof create === 'function' ? create() : undefined;
  if (stream instanceof Transform) return stream;
  throw new IngotError(
    'invalid-package',
    `${what} is packed with zstd, which Node ${process.versions.node} cannot undo`,
    {
      operation: 'source',
      hint: 'use Node 22.15 or later, or store it as .raw or .tar+gzip',
    },
  );
}

/**
 * Reads a file that was brought here, and refuses it when it is not what it should be: it goes, so that it comes again.
 * @throws IngotError `integrity`.
 */
export async function verifyBrought(file: string, descriptor: Descriptor): Promise<void> {
  try {
    for await (const _ of checkedBlob(descriptor, createReadStream(file, { highWaterMark: 1024 * 1024 }))) void _;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/** Gives a file that was brought here its place. */
export async function moveBrought(file: string, target: string, executable: boolean): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rename(file, target);
  await chmod(target, executable ? 0o755 : 0o644);
}

/** A directory of its own below another. */
export async function madeIn(directory: string, name: string): Promise<string> {
  const path = join(directory, name);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}
