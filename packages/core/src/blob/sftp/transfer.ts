/** Moving bytes with many requests under way, so that a long line is full and not waited for piece by piece. */

import type { BlobBody } from '../blob-store.ts';
import { checkBodySize } from '../bytes.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { gathered, own } from '../local/fill.ts';
import type { FullRange } from '../range.ts';
import type { CallOptions } from './connection.ts';
import { lost } from './failures.ts';
import type { SftpFiles } from './files.ts';

const REQUEST_BYTES = 128 * 1024;
const READS_AHEAD = 16;
const WRITES_AHEAD = 32;

/** An open file and what it is called in errors. */
export interface RemoteFile {
  readonly handle: Buffer;
  readonly path: string;
}

/** Streams a range of an open file. */
export async function* readAhead(
  files: SftpFiles,
  { handle, path }: RemoteFile,
  { start, end }: FullRange,
  options: CallOptions,
): AsyncIterable<Uint8Array> {
  const underWay: Promise<Buffer>[] = [];
  for (let asked = start; asked < end || underWay.length > 0; ) {
    while (asked < end && underWay.length < READS_AHEAD) {
      const length = Math.min(REQUEST_BYTES, end - asked);
      const read = readFully(files, { handle, path }, asked, length, options);
      read.catch(() => {});
      underWay.push(read);
      asked += length;
    }
    const piece = await underWay.shift();
    stopIfInterrupted(options.signal, options.operation);
    if (piece !== undefined) yield piece;
  }
}

/**
 * Writes a body into an open file and makes it durable.
 * @throws IngotError `integrity` when the body gives another number of bytes than it said; `BodyFailure` when the body itself fails.
 */
export async function writeAhead(
  files: SftpFiles,
  { handle, path }: RemoteFile,
  key: string,
  body: BlobBody,
  options: CallOptions,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  let at = 0;
  for await (const piece of gathered(own(body))) {
    stopIfInterrupted(options.signal, options.operation);
    if (at + piece.byteLength > body.sizeBytes) checkBodySize(key, body.sizeBytes, at + piece.byteLength);
    for (const slice of slicesOf(piece)) {
      if (underWay.length === WRITES_AHEAD) await underWay.shift();
      const written = files.write(handle, slice, at, path, options);
      written.catch(() => {});
      underWay.push(written);
      at += slice.byteLength;
    }
  }
  checkBodySize(key, body.sizeBytes, at);
  // Requests are answered in order, so all of them are written before this one is looked at.
  await Promise.all([...underWay, files.sync(handle, path, options)]);
}

async function readFully(
  files: SftpFiles,
  { handle, path }: RemoteFile,
  position: number,
  length: number,
  options: CallOptions,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const rest = buffer.subarray(done);
    const count = await files.read(handle, rest, rest.byteLength, position + done, path, options);
    if (count === 0) throw lost(new Error(`${path} ended before its size`), path);
    done += count;
  }
  return buffer;
}

function* slicesOf(piece: Uint8Array): Iterable<Buffer> {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  for (let at = 0; at < bytes.byteLength; at += REQUEST_BYTES) yield bytes.subarray(at, at + REQUEST_BYTES);
}
