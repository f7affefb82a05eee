import { join } from 'node:path';
import { IngotError } from '../../errors.ts';
import type { ByteRange } from '../blob-store.ts';
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

/** Streams a range of an open blob, one piece ahead of its reader, and closes it. */
export async function* streamBlob(
  blob: OpenBlob,
  key: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  try {
    const { start, end } = fitRange(key, blob.sizeBytes, range);
    let next = start < end ? readPiece(blob.handle, key, start, end) : undefined;
    for (let at = start; next !== undefined; ) {
      const piece: Buffer = await next;
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

async function readPiece(handle: LocalFile, key: string, at: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at));
  for (let done = 0; done < buffer.byteLength; ) {
    const { bytesRead } = await handle.read(buffer, done, buffer.byteLength - done, at + done);
    if (bytesRead === 0)
      throw new IngotError('integrity', `blob "${key}" became shorter while it was read`, { details: { key } });
    done += bytesRead;
  }
  return buffer;
}
