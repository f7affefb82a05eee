import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
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
 * Streams the reply to a read, and checks that it is what was asked: a range has its length, a whole object the MD5
 * that GCS keeps of it (objects that were composed of others have none).
 * @throws IngotError `integrity` when the object ends before the range or its MD5 differs, `unavailable` when the reply was cut.
 */
export async function* checkedReply(reply: IncomingMessage, asked: AskedBytes): AsyncIterable<Uint8Array> {
  const { key, range, address } = asked;
  const sizeBytes = range === undefined ? lengthOf(reply, key) : lengthOfRange(reply, key, range);
  const md5 = range === undefined ? md5Of(reply) : undefined;
  const hash = md5 === undefined ? undefined : createHash('md5');
  for await (const piece of wholeStream(reply, { ...asked, sizeBytes })) {
    hash?.update(piece);
    yield piece;
  }
  if (hash !== undefined && hash.digest('base64') !== md5)
    throw new IngotError('integrity', `${address}: the bytes of blob "${key}" are not those that were stored`, {
      operation: 'blob.read',
      details: { key },
    });
}

function lengthOfRange(reply: IncomingMessage, key: string, range: ByteRange): number {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(reply.headers['content-range'] ?? '');
  if (reply.statusCode !== 206 || match === null) {
    reply.destroy();
    throw new IngotError('unexpected', `the storage gave all of blob "${key}" instead of a range`, {
      details: { key },
    });
  }
  try {
    const { start, end } = fitRange(key, Number(match[3]), range);
    return end - start;
  } catch (error) {
    reply.destroy();
    throw error;
  }
}

function lengthOf(reply: IncomingMessage, key: string): number {
  const length = reply.headers['content-length'] ?? reply.headers['x-goog-stored-content-length'];
  if (length !== undefined) return Number(length);
  reply.destroy();
  throw new IngotError('unexpected', `the storage does not say how long blob "${key}" is`, { details: { key } });
}

function md5Of(reply: IncomingMessage): string | undefined {
  return /(?:^|[\s,])md5=([A-Za-z0-9+/=]+)/.exec(String(reply.headers['x-goog-hash'] ?? ''))?.[1];
}
