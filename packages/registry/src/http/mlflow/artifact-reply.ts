import { Readable } from 'node:stream';
import type { ReadOptions } from '@ingot/core/content/content-store';
import type { Digest } from '@ingot/core/digest';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A file that is sent. */
export interface SentFile {
  readonly name: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  read(options?: ReadOptions): AsyncIterable<Uint8Array>;
}

/** Files up to this size are gathered first: one write to the line, and an error is still told as one. */
const GATHERED_BYTES = 256 * 1024;

/** What browsers show of themselves is only given as text, and what is unknown as bytes. */
const TYPES: readonly (readonly [RegExp, string])[] = [
  [
    /\.(?:txt|log|md|csv|tsv|json|ya?ml|py|html?|svg|xml|js|css|toml|ini|cfg|sh|r|ipynb)$/i,
    'text/plain; charset=utf-8',
  ],
  [/(?:^|\/)(?:MLmodel|MLproject)$/, 'text/plain; charset=utf-8'],
  [/\.png$/i, 'image/png'],
  [/\.jpe?g$/i, 'image/jpeg'],
  [/\.gif$/i, 'image/gif'],
  [/\.webp$/i, 'image/webp'],
  [/\.pdf$/i, 'application/pdf'],
  [/\.zip$/i, 'application/zip'],
];

/**
 * Sends a file, or the range of it that is asked for. It is always to be saved, never shown: an artifact is somebody
 * else's, and must not run where people are signed in.
 */
export async function sendFile(request: FastifyRequest, reply: FastifyReply, file: SentFile): Promise<FastifyReply> {
  const { digest, name, sizeBytes } = file;
  const etag = `"${digest}"`;
  reply.headers({
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-disposition': disposition(name),
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
  });
  if (namesTag(request.headers['if-none-match'], etag)) return reply.status(304).send();
  const range = rangeOf(request, etag, sizeBytes);
  if (range === 'outside')
    return reply.status(416).header('content-range', `bytes */${sizeBytes}`).type('text/plain').send('');
  if (range !== undefined)
    reply.status(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${sizeBytes}`);
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  reply.type(TYPES.find(([pattern]) => pattern.test(name))?.[1] ?? 'application/octet-stream');
  const bytes = file.read(range === undefined ? {} : { range });
  if (end - start <= GATHERED_BYTES) return reply.send(await gathered(bytes));
  reply.header('content-length', end - start);
  return reply.send(Readable.from(bytes, { objectMode: false }));
}

async function gathered(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

function namesTag(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim())) === true;
}

/** The one range that is asked for; several, or one in another unit, are as good as none. */
function rangeOf(
  { headers }: FastifyRequest,
  etag: string,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | 'outside' | undefined {
  const wanted = headers['if-range'];
  if (wanted !== undefined && wanted !== etag) return undefined;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  return start < end ? { start, end } : 'outside';
}

/** Names that ASCII cannot say are said twice (RFC 6266). */
function disposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return plain === name
    ? `attachment; filename="${name}"`
    : `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
