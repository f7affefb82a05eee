import { IngotError } from '../../errors.ts';
import type { ByteRange } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { fitRange } from '../range.ts';
import type { HttpClient, HttpReply } from './client.ts';

/** What to read. */
export interface RangeRequest {
  /** Percent-encoded path and query. */
  readonly path: string;
  /** Named in errors. */
  readonly key: string;
  readonly range: ByteRange | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Says whether a reply means that nothing is there. */
export type IsMissing = (reply: HttpReply) => boolean;

/** What a GET came to: bytes, nothing there, or a folder (the server redirects to the path with a slash). */
export type OpenedRange = AsyncIterable<Uint8Array> | 'missing' | 'folder';

const NOTHING_THERE: readonly number[] = [404, 405, 409, 410];
const byStatus: IsMissing = ({ status }) => NOTHING_THERE.includes(status);

/**
 * Asks for a range of a resource, and gives its bytes whether or not the server knows ranges. One request; one more
 * for an empty range or one at the very end.
 * @throws IngotError `integrity` when the resource ends before the range does; `unavailable` when it stalls or is cut.
 */
export async function openRange(
  client: HttpClient,
  request: RangeRequest,
  isMissing: IsMissing = byStatus,
): Promise<OpenedRange> {
  const { range } = request;
  if (range !== undefined && range.end === range.start) return emptyRange(client, request, isMissing);
  const isPart = range !== undefined && (range.start > 0 || range.end !== undefined);
  const last = range?.end === undefined ? '' : range.end - 1;
  const reply = await client.send({
    method: 'GET',
    path: request.path,
    headers: { 'accept-encoding': 'identity', ...(isPart ? { range: `bytes=${range.start}-${last}` } : {}) },
    operation: 'blob.read',
    signal: request.signal,
  });
  if (isFolder(reply, request.path)) return discarded(reply, 'folder');
  if (isMissing(reply)) return discarded(reply, 'missing');
  if (reply.status === 200 || reply.status === 206) return bytesOf(reply, request);
  await reply.discard();
  if (reply.status === 416) return emptyRange(client, request, isMissing);
  throw reply.error();
}

async function bytesOf(reply: HttpReply, request: RangeRequest): Promise<OpenedRange> {
  try {
    checkNotEncoded(reply, request);
    return cutTo(reply, request, reply.status === 206 ? part(reply, request) : whole(reply, request));
  } catch (error) {
    await reply.discard();
    throw error;
  }
}

// An empty range needs no bytes, only to know that the resource reaches that far.
async function emptyRange(
  client: HttpClient,
  { path, key, range, signal }: RangeRequest,
  isMissing: IsMissing,
): Promise<OpenedRange> {
  const headers = { 'accept-encoding': 'identity' };
  const reply = await client.send({ method: 'HEAD', path, headers, operation: 'blob.read', signal });
  await reply.discard();
  if (isFolder(reply, path)) return 'folder';
  if (isMissing(reply)) return 'missing';
  if (reply.status !== 200) throw reply.error();
  const total = lengthOf(reply);
  if (total !== undefined) fitRange(key, total, range);
  return nothing();
}

/** What of the reply's bytes is wanted: so many after so many are skipped; an unknown number where none was said. */
interface Cut {
  readonly skip: number;
  readonly take: number | undefined;
}

function part(reply: HttpReply, { key, range }: RangeRequest): Cut {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(reply.headers['content-range'] ?? '') ?? [];
  const start = range?.start ?? 0;
  if (first === undefined || Number(first) !== start)
    throw new IngotError('unavailable', `the server sent another range of "${key}" than was asked for`, {
      details: { key, contentRange: reply.headers['content-range'] ?? '' },
    });
  const end =
    total === undefined || total === '*' ? (range?.end ?? Number(last) + 1) : fitRange(key, Number(total), range).end;
  return { skip: 0, take: end - start };
}

function whole(reply: HttpReply, { key, range }: RangeRequest): Cut {
  const total = lengthOf(reply);
  const start = range?.start ?? 0;
  if (total !== undefined) return { skip: start, take: fitRange(key, total, range).end - start };
  return { skip: start, take: range?.end === undefined ? undefined : range.end - start };
}

async function* cutTo(reply: HttpReply, { key, signal }: RangeRequest, cut: Cut): AsyncGenerator<Uint8Array, void> {
  let skip = cut.skip;
  let left = cut.take ?? Number.POSITIVE_INFINITY;
  if (left === 0) return reply.discard();
  for await (const piece of reply.body()) {
    stopIfInterrupted(signal, 'blob.read');
    const bytes = piece.subarray(Math.min(skip, piece.byteLength));
    skip -= piece.byteLength - bytes.byteLength;
    const wanted = bytes.subarray(0, left);
    left -= wanted.byteLength;
    if (wanted.byteLength > 0) yield wanted;
    if (left === 0) break;
  }
  if (skip > 0 || (cut.take !== undefined && left > 0))
    throw new IngotError('unavailable', `the connection was cut while "${key}" was read`, {
      operation: 'blob.read',
      details: { key },
    });
}

/** Whether the server sent us on to the path with a slash, as it does for directories. */
export function isFolder(reply: HttpReply, path: string): boolean {
  return reply.path !== path && reply.path.replace(/\?.*/s, '').endsWith('/');
}

function checkNotEncoded(reply: HttpReply, { key }: RangeRequest): void {
  const encoding = reply.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return;
  throw new IngotError(
    'refused',
    `the server sends "${key}" with content-encoding ${encoding}, so its bytes cannot be told`,
    {
      operation: 'blob.read',
      details: { key },
    },
  );
}

/** The length that a reply says its resource has, or undefined. */
export function lengthOf(reply: HttpReply): number | undefined {
  const said = reply.headers['content-length'];
  return said === undefined ? undefined : Number(said);
}

async function discarded<T>(reply: HttpReply, result: T): Promise<T> {
  await reply.discard();
  return result;
}

async function* nothing(): AsyncIterable<Uint8Array> {}
