import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlobDownloadResponseParsed } from '@azure/storage-blob';
import { IngotError } from '../../errors.ts';
import type { ByteRange } from '../blob-store.ts';
import { fitRange } from '../range.ts';
import { wholeStream } from '../silence.ts';

/** What was asked for. */
export interface AskedBytes {
  readonly key: string;
  readonly range: ByteRange | undefined;
  readonly address: string;
  readonly silenceMs: number;
  readonly signal: AbortSignal | undefined;
  /** Says what a failure of the reply means. */
  readonly translate: (error: unknown) => unknown;
}

/**
 * Streams the reply to a read, and checks that it is what was asked: a range has its length, a whole blob the MD5 that
 * Azure keeps of it (blobs made of blocks have none).
 * @throws IngotError `integrity` when the blob ends before the range or its MD5 differs, `unavailable` when the reply was cut or fell silent.
 */
export async function* checkedDownload(
  reply: BlobDownloadResponseParsed,
  asked: AskedBytes,
): AsyncIterable<Uint8Array> {
  const { key, range, address } = asked;
  const stream = reply.readableStreamBody;
  if (!(stream instanceof Readable)) throw new IngotError('unexpected', 'Azure’s client gave no stream');
  // Until it is read below, an error of it is nobody's.
  stream.on('error', () => {});
  const md5 = range === undefined ? reply.contentMD5 : undefined;
  const hash = md5 === undefined ? undefined : createHash('md5');
  const sizeBytes = range === undefined ? (reply.contentLength ?? 0) : lengthOfRange(reply, stream, key, range);
  for await (const piece of wholeStream(stream, { ...asked, sizeBytes })) {
    hash?.update(piece);
    yield piece;
  }
  if (md5 !== undefined && hash !== undefined && Buffer.compare(hash.digest(), md5) !== 0)
    throw new IngotError('integrity', `${address}: the bytes of blob "${key}" are not those that were stored`, {
      operation: 'blob.read',
      details: { key },
    });
}

function lengthOfRange(reply: BlobDownloadResponseParsed, stream: Readable, key: string, range: ByteRange): number {
  try {
    const total = /\/(\d+)$/.exec(reply.contentRange ?? '')?.[1] ?? reply.contentLength;
    const { start, end } = fitRange(key, Number(total), range);
    return end - start;
  } catch (error) {
    stream.destroy();
    throw error;
  }
}
