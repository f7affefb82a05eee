import { createHash, randomBytes } from 'node:crypto';
import { IngotError } from '../../errors.ts';
import type { BlobBody } from '../blob-store.ts';
import { type BodyPart, partsOf, wholeOf } from '../remote/body.ts';
import { CallWatch } from '../remote/watch.ts';
import { GcsRefusal } from './failures.ts';
import { type GcsTransport, textOfReply } from './transport.ts';

/** Bodies up to this size go in one request; a pack of chunks fits. */
export const SINGLE_REQUEST_BYTES = 32 * 1024 * 1024;

/** Larger ones go in parts of this size, one after the other; GCS wants multiples of 256 KiB. */
const PART_BYTES = 16 * 1024 * 1024;

/** Where and how an object is made. */
export interface UploadTarget {
  /** `…/upload/storage/v1/b/BUCKET/o` with the conditions and options of the request. */
  readonly url: (uploadType: 'multipart' | 'resumable') => URL;
  /** The object's name in the bucket. */
  readonly name: string;
  /** Headers of a customer-supplied key. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a body of at most {@link SINGLE_REQUEST_BYTES}: one request, whose MD5 GCS checks before the object is there. */
export async function uploadAtOnce(
  transport: GcsTransport,
  target: UploadTarget,
  key: string,
  body: BlobBody,
  watch: CallWatch,
): Promise<void> {
  const { pieces } = await wholeOf(key, body, watch);
  const md5 = createHash('md5');
  for (const piece of pieces) md5.update(piece);
  const boundary = `ingot-${randomBytes(12).toString('hex')}`;
  const metadata = { name: target.name, contentType: CONTENT_TYPE, md5Hash: md5.digest('base64') };
  const reply = await transport.send(
    {
      method: 'POST',
      url: target.url('multipart'),
      headers: { ...target.headers, 'content-type': `multipart/related; boundary=${boundary}` },
      pieces: [
        Buffer.from(
          `--${boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(metadata)}\r\n` +
            `--${boundary}\r\ncontent-type: ${CONTENT_TYPE}\r\n\r\n`,
        ),
        ...pieces,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ],
    },
    watch,
  );
  await textOfReply(reply, watch);
}

/**
 * Sends a large body in parts: one request that opens a session, one a part; the object is there when the last part is,
 * on the condition given at the start. The MD5 of all goes with the last part. A session given up is called off.
 */
export async function uploadInParts(
  transport: GcsTransport,
  target: UploadTarget,
  key: string,
  body: BlobBody,
  watch: CallWatch,
): Promise<void> {
  const session = await openSession(transport, target, body, watch);
  try {
    const md5 = createHash('md5');
    for await (const part of partsOf(key, body, PART_BYTES, watch)) {
      for (const piece of part.pieces) md5.update(piece);
      const isLast = part.start + part.sizeBytes === body.sizeBytes;
      const headers = { ...target.headers, ...(isLast ? { 'x-goog-hash': `md5=${md5.digest('base64')}` } : {}) };
      await sendPart(transport, session, part, { totalBytes: body.sizeBytes, headers }, watch);
    }
  } catch (error) {
    await callOff(transport, session, watch);
    // The session is gone, not the bucket: beginning anew is all there is to do.
    const isGone = error instanceof GcsRefusal && (error.status === 404 || error.status === 410);
    throw isGone ? new GcsRefusal(500, 'the upload’s session is gone') : error;
  }
}

const CONTENT_TYPE = 'application/octet-stream';

async function openSession(
  transport: GcsTransport,
  target: UploadTarget,
  body: BlobBody,
  watch: CallWatch,
): Promise<URL> {
  const reply = await transport.send(
    {
      method: 'POST',
      url: target.url('resumable'),
      headers: {
        ...target.headers,
        'content-type': 'application/json; charset=utf-8',
        'x-upload-content-type': CONTENT_TYPE,
        'x-upload-content-length': String(body.sizeBytes),
      },
      pieces: [Buffer.from(JSON.stringify({ name: target.name, contentType: CONTENT_TYPE }))],
    },
    watch,
  );
  await textOfReply(reply, watch);
  const { location } = reply.headers;
  if (location === undefined) throw new IngotError('unexpected', 'the storage opened an upload and named no session');
  return new URL(location);
}

interface WholeUpload {
  readonly totalBytes: number;
  readonly headers: Readonly<Record<string, string>>;
}

// The service may keep less of a part than it was sent, and says how much.
async function sendPart(
  transport: GcsTransport,
  session: URL,
  part: BodyPart,
  { totalBytes, headers }: WholeUpload,
  watch: CallWatch,
): Promise<void> {
  const end = part.start + part.sizeBytes;
  for (let at = part.start; ; ) {
    const range = `bytes ${at}-${end - 1}/${totalBytes}`;
    const pieces = behind(part.pieces, at - part.start);
    const request = { method: 'PUT', url: session, headers: { ...headers, 'content-range': range }, pieces } as const;
    const reply = await transport.send(request, watch);
    await textOfReply(reply, watch);
    if (reply.statusCode !== 308) return;
    const kept = Number(/^bytes=0-(\d+)$/.exec(reply.headers.range ?? '')?.[1] ?? -1) + 1;
    if (kept === end && end < totalBytes) return;
    // Without progress it would go on for ever; the whole write can be repeated.
    if (kept <= at || kept >= end) throw new GcsRefusal(503, `the upload stands at ${kept} of ${totalBytes} bytes`);
    at = kept;
  }
}

function behind(pieces: readonly Uint8Array[], skipBytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = skipBytes;
  for (const piece of pieces) {
    if (skip < piece.byteLength) rest.push(piece.subarray(skip));
    skip = Math.max(0, skip - piece.byteLength);
  }
  return rest;
}

const CALL_OFF_MS = 2000;

// Nothing is visible of a session that was not finished, and it ends by itself after a week: failing here is nothing.
async function callOff(transport: GcsTransport, session: URL, { signal }: CallWatch): Promise<void> {
  const ending = async () => {
    using watch = new CallWatch({ operation: 'blob.write', address: '', signal: undefined, silenceMs: CALL_OFF_MS });
    const reply = await transport.send({ method: 'DELETE', url: session }, watch);
    await textOfReply(reply, watch);
  };
  const ended = ending().catch(() => {});
  if (!signal.aborted) await ended;
}
