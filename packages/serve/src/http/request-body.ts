import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { promisify } from 'node:util';
import { gunzip, inflate, inflateRaw } from 'node:zlib';
import type { Exchange } from './exchange.ts';

const decompressors = { gzip: promisify(gunzip), 'x-gzip': promisify(gunzip), deflate: promisify(inflate) } as const;
const inflateWithoutHeader = promisify(inflateRaw);

/** A refused body's sender may send up to this many times the limit before the connection is cut. */
const LINGER_FACTOR = 4;

/**
 * Reads a request's body and undoes gzip and deflate. Nothing is kept of a body that turns out too large.
 * @throws IngotError `payload-too-large`, `unsupported-media-type` (unknown encoding), `invalid-request` (broken
 * compression), `interrupted` (the client went away).
 */
export async function readBody(exchange: Exchange): Promise<Buffer> {
  const encoding = (exchange.header('content-encoding') ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return receive(exchange);
  if (!isKnownEncoding(encoding)) {
    throw new IngotError(
      'unsupported-media-type',
      `content encoding "${encoding.slice(0, 40)}" is not understood; use gzip or deflate`,
    );
  }
  return decompress(encoding, await receive(exchange), exchange.context.limits.bodyBytes);
}

function isKnownEncoding(encoding: string): encoding is keyof typeof decompressors {
  return Object.hasOwn(decompressors, encoding);
}

async function decompress(encoding: keyof typeof decompressors, body: Buffer, limit: number): Promise<Buffer> {
  const options = { maxOutputLength: limit };
  try {
    return await decompressors[encoding](body, options).catch((cause: unknown) => {
      // Some clients send deflate without the zlib header that HTTP asks for.
      if (encoding === 'deflate' && systemErrorCode(cause) === 'Z_DATA_ERROR')
        return inflateWithoutHeader(body, options);
      throw cause;
    });
  } catch (cause) {
    if (systemErrorCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit, 'when decompressed');
    throw new IngotError('invalid-request', `the body is no ${encoding} data`, { cause });
  }
}

function receive(exchange: Exchange): Promise<Buffer> {
  const { request, context } = exchange;
  const limit = context.limits.bodyBytes;
  if (declaredBytes(exchange) > limit)
    return Promise.reject(tooLarge(limit, `${declaredBytes(exchange)} bytes were announced`));
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        first = more = undefined;
        reject(tooLarge(limit, 'more arrived'));
      } else if (first === undefined) first = chunk;
      else if (more === undefined) more = [first, chunk];
      else more.push(chunk);
    });
    request.on('end', () => {
      exchange.receivedBytes = size;
      resolve(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more, size));
    });
    const gone = (): void => {
      if (!request.complete)
        reject(new IngotError('interrupted', 'the client went away before its request was complete'));
    };
    request.on('error', gone);
    request.on('close', gone);
  });
}

/** What `Content-Length` announces; 0 when the body comes in chunks. */
export function declaredBytes(exchange: Exchange): number {
  return Number(exchange.header('content-length') ?? 0);
}

function tooLarge(limit: number, found: string): IngotError {
  return new IngotError('payload-too-large', `the body is larger than the limit of ${limit} bytes: ${found}`, {
    details: { limitBytes: limit },
  });
}

/**
 * Throws away what is still to come of a body that nobody will read, then calls `done`; cuts the connection when that takes
 * too long or too much. Ending the reply earlier would cut off a sender that looks for a reply only when it has sent all.
 */
export function afterBody(exchange: Exchange, done: () => void): void {
  const { request } = exchange;
  const { limits } = exchange.context;
  const bodyless =
    request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined;
  const waits = request.headers.expect !== undefined && declaredBytes(exchange) > limits.bodyBytes;
  if (bodyless || waits || request.complete || request.destroyed) {
    done();
    return;
  }
  let left = limits.bodyBytes * LINGER_FACTOR;
  const cut = (): void => void request.socket.destroy();
  const timer = setTimeout(cut, limits.lingerMs);
  timer.unref();
  const over = (): void => {
    clearTimeout(timer);
    done();
  };
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) cut();
  });
  request.once('end', over);
  request.on('close', () => clearTimeout(timer));
  request.on('error', () => clearTimeout(timer));
  request.resume();
}
