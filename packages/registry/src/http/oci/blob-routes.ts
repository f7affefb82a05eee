import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { FastifyReply } from 'fastify';
import { requestedDigest } from '../../oci/blob-context.ts';
import type { BlobRoom } from '../../oci/blob-room.ts';
import type { OciBlob } from '../../oci/oci-blobs.ts';
import { ociError } from '../../oci/oci-error.ts';
import { noBlob } from '../../oci/pushed-blobs.ts';
import type { OciCall, OciRoutes } from './oci-route.ts';
import { sendLent } from './send-lent.ts';

/** Blobs up to this size are gathered first: one write to the line, and an error is still told as one. */
const GATHERED_BYTES = 256 * 1024;

/** Routes of blobs that are there: to look at, to read in whole or in part, to delete. */
export function blobRoutes({ blobs }: BlobRoom): OciRoutes {
  const read = async (call: OciCall): Promise<FastifyReply> => {
    const digest = requestedDigest(call.part('digest'));
    const blob = await blobs.shown(call.repository, digest);
    if (blob === undefined) throw noBlob(digest);
    return await sendBlob(call, digest, blob);
  };
  return () => [
    { methods: ['GET', 'HEAD'], at: 'blobs/:digest', needs: 'read', answer: read },
    {
      methods: ['DELETE'],
      at: 'blobs/:digest',
      needs: 'admin',
      answer: async ({ repository, reply, part }) => {
        await blobs.delete(repository, requestedDigest(part('digest')));
        return reply.status(202).send();
      },
    },
  ];
}

async function sendBlob({ request, reply }: OciCall, digest: OciDigest, blob: OciBlob): Promise<FastifyReply> {
  const { sizeBytes } = blob;
  const etag = `"${digest}"`;
  reply.headers({
    etag,
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-security-policy': "sandbox; default-src 'none'",
    'content-disposition': 'attachment',
  });
  const { headers, method } = request;
  if (namesTag(headers['if-none-match'], etag)) return reply.status(304).send();
  const wanted = headers['if-range'] === undefined || headers['if-range'] === etag ? headers.range : undefined;
  const range = rangeOf(wanted, sizeBytes);
  if (range === 'outside') {
    reply.header('content-range', `bytes */${sizeBytes}`);
    throw ociError('RANGE_INVALID', `the blob has ${sizeBytes} bytes, and none of ${String(wanted)}`);
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  reply.type('application/octet-stream').header('content-length', end - start);
  if (range !== undefined) reply.status(206).header('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
  if (method === 'HEAD' || start === end) return reply.send();
  // Each piece is checked by its digest, and the list of pieces by its own: what they make was checked when it came.
  const wantedBytes = { range: { start, end } };
  if (end - start <= GATHERED_BYTES) return reply.send(await gathered(blob.read(wantedBytes)));
  return await sendLent(reply, blob.lend?.(wantedBytes) ?? blob.read(wantedBytes));
}

/** The one range that is asked for (RFC 9110, section 14); several, or one in another unit, are as good as none. */
function rangeOf(
  header: string | undefined,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | 'outside' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  return start < end ? { start, end } : 'outside';
}

function namesTag(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim())) === true;
}

async function gathered(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}
