import { join } from 'node:path';
import { IngotError } from '../../errors.ts';
import type { BlobReadOptions } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { fitRange } from '../range.ts';
import type { FileSystem, LocalFile } from './file-system.ts';
import { INNER_FILE } from './names.ts';

const PIECE_BYTES = 1024 * 1024;

/** An open blob: its file and how many bytes it has. */
export interface OpenBlob {
  readonly handle: LocalFile;
  readonly sizeBytes: number;
}

/** Opens the file of a blob; fails with the system's `ENOENT` when there is none. */
export async function openBlob(files: FileSystem, path: string): Promise<OpenBlob> {
  const handle = await files.open(path);
  try {
    const stats = await handle.stat();
    if (!stats.isDirectory()) return { handle, sizeBytes: stats.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  const inner = await files.open(join(path, INNER_FILE));
  return { handle: inner, sizeBytes: (await inner.stat()).size };
}

/**
 * Streams a range of an open blob and closes it: one piece ahead of its reader, or into the reader's own memory, where
 * one piece lies at a time.
 */
export async function* streamBlob(
  blob: OpenBlob,
  key: string,
  { range, signal, into }: BlobReadOptions,
): AsyncIterable<Uint8Array> {
  try {
    const { start, end } = fitRange(key, blob.sizeBytes, range);
    if (into !== undefined) {
      for (let at = start; at < end; at += into.byteLength) {
        yield await filled(into.subarray(0, end - at), blob.handle, key, at);
        stopIfInterrupted(signal, 'blob.read');
      }
      return;
    }
    let next = start < end ? readPiece(blob.handle, key, start, end) : undefined;
    for (let at = start; next !== undefined; ) {
      const piece: Uint8Array = await next;
      stopIfInterrupted(signal, 'blob.read');
      at += piece.byteLength;
      next = at < end ? readPiece(blob.handle, key, at, end) : undefined;
      // A reader that stops early never asks for it.
      next?.catch(() => {});
      yield piece;
    }
  } finally {
    await blob.handle.close();
  }
}

function readPiece(handle: LocalFile, key: string, at: number, end: number): Promise<Uint8Array> {
  return filled(Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at)), handle, key, at);
}

async function filled(buffer: Uint8Array, handle: LocalFile, key: string, at: number): Promise<Uint8Array> {
  for (let done = 0; done < buffer.byteLength; ) {
    const { bytesRead } = await handle.read(buffer, done, buffer.byteLength - done, at + done);
    if (bytesRead === 0)
      throw new IngotError('integrity', `blob "${key}" became shorter while it was read`, { details: { key } });
    done += bytesRead;
  }
  return buffer;
}
