import { Readable } from 'node:stream';
import type { ByteRange } from '@ingot/core/blob/blob-store';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Bytes that can be read from anywhere. */
export interface Ranged {
  readonly sizeBytes: number;
  open(range: ByteRange | undefined): AsyncIterable<Uint8Array>;
}

/** Sends all bytes, or the one range that the request asks for (RFC 9110, section 14); several ranges are answered with all. */
export function sendRange(request: FastifyRequest, reply: FastifyReply, { sizeBytes, open }: Ranged): FastifyReply {
  reply.header('accept-ranges', 'bytes').type('application/octet-stream');
  const range = rangeOf(request.headers.range, sizeBytes);
  if (range === 'unsatisfiable') return reply.status(416).header('content-range', `bytes */${sizeBytes}`).send();
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  reply.header('content-length', String(end - start));
  if (range !== undefined) reply.status(206).header('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
  if (request.method === 'HEAD' || end === start) return reply.send();
  return reply.send(Readable.from(open(range), { objectMode: false, highWaterMark: 256 * 1024 }));
}

function rangeOf(header: string | undefined, sizeBytes: number): Required<ByteRange> | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const count = Math.min(Number(last), sizeBytes);
    return count === 0 ? 'unsatisfiable' : { start: sizeBytes - count, end: sizeBytes };
  }
  const start = Number(first);
  if (start >= sizeBytes) return 'unsatisfiable';
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return end <= start ? undefined : { start, end };
}
