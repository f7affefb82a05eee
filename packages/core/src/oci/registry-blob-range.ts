/**
 * Bytes of one blob of a registry, as ranges. What was cut goes on where it was cut, and a registry that answers with
 * another part, with more or with less than was asked for is told apart from a line that broke.
 * Source: distribution-spec 1.1, "Pulling blobs"; RFC 9110 section 14.
 */

import { stopIfInterrupted } from '../blob/interrupt.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { type BlobName, otherBlob } from './checked-blob.ts';
import type { RegistryClient } from './registry-client.ts';

/** Where a range begins, and the byte after its last. */
export interface BlobRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Streams a range of a blob; goes on with the rest where it was cut. Nothing is checked by the blob's digest here.
 * @throws IngotError `unavailable` when the registry stays away, `integrity` when the blob is longer or shorter than was said.
 */
export async function* readBlobRange(
  client: RegistryClient,
  blob: BlobName,
  { start, end }: BlobRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const course = client.patience.course(signal);
  let at = start;
  while (at < end || (end === 0 && start === 0)) {
    const before = at;
    try {
      for await (const piece of oneAnswer(client, blob, at, end, signal)) {
        at += piece.byteLength;
        yield piece;
      }
      client.patience.answered();
      if (at >= end) return;
    } catch (error) {
      if (isIngotError(error) && error.retryable && at >= end && end > start) return;
      if (at > before) course.progressed();
      await course.failed(error);
    }
  }
}

async function* oneAnswer(
  client: RegistryClient,
  { digest, size }: BlobName,
  at: number,
  end: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const isPart = at > 0 || end < size;
  const headers = { 'accept-encoding': 'identity', ...(isPart ? { range: `bytes=${at}-${end - 1}` } : {}) };
  const request = { method: 'GET', at: `blobs/${digest}`, what: `the blob ${digest}`, signal, headers } as const;
  const reply = await client.expect(request, 200, 206);
  let skip = reply.status === 200 ? at : 0;
  const [, first] = /^bytes (\d+)-/.exec(reply.headers['content-range'] ?? '') ?? [];
  if (reply.status === 206 && Number(first) !== at) {
    await reply.discard();
    throw new IngotError('unavailable', `${client.repository} sent another part of ${digest} than was asked for`, {
      operation: 'oci.pull',
    });
  }
  let left = end - at;
  for await (const piece of reply.body()) {
    stopIfInterrupted(signal, 'oci.pull');
    const bytes = piece.subarray(Math.min(skip, piece.byteLength));
    skip -= piece.byteLength - bytes.byteLength;
    if (bytes.byteLength > left && !isPart)
      throw otherBlob({ digest, size }, `it has more than ${size} bytes`, 'oci.pull');
    const wanted = bytes.subarray(0, left);
    left -= wanted.byteLength;
    if (wanted.byteLength > 0) yield wanted;
    if (left === 0 && isPart) return;
  }
  if (left > 0) throw otherBlob({ digest, size }, `it ends ${left} bytes early`, 'oci.pull');
}
