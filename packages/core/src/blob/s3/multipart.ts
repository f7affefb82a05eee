import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { IngotError } from '../../errors.ts';
import { openSignal } from '../../open-signal.ts';
import type { BlobBody } from '../blob-store.ts';
import { type Part, partsOf, payloadOf } from './body.ts';
import type { Bucket, Call } from './bucket.ts';
import { isTaken } from './failure-facts.ts';
import { objectExists } from './look.ts';
import { objectOptions } from './write.ts';

const PARTS_IN_FLIGHT = 4;
const MOST_PARTS = 10_000;

interface Upload {
  readonly bucket: Bucket;
  readonly call: Call;
  readonly uploadId: string;
  readonly sizeBytes: number;
}

/**
 * Creates an object in parts, four on their way at once; the last request carries the condition. What goes wrong before
 * ends the upload, so that no part of it is kept.
 */
export async function writeInParts(bucket: Bucket, call: Call, body: BlobBody): Promise<'created' | 'exists'> {
  if (await objectExists(bucket, call)) return 'exists';
  // A failing part stops the others, the caller's signal stops all.
  const { signal, end } = openSignal(call.signal);
  const upload = await begin(bucket, call, body.sizeBytes);
  const inFlight = new Set<Promise<void>>();
  try {
    const parts = await sendParts({ ...upload, call: { ...call, signal } }, body, inFlight);
    return await complete(upload, parts);
  } catch (error) {
    end();
    await Promise.allSettled(inFlight);
    await abandon(upload);
    if (isTaken(error)) return 'exists';
    throw error;
  }
}

async function begin(bucket: Bucket, call: Call, sizeBytes: number): Promise<Upload> {
  const { checksum } = bucket.settings;
  const command = new CreateMultipartUploadCommand({
    ...bucket.target(call.key),
    ...bucket.customerKey,
    ...objectOptions(bucket.settings, sizeBytes),
    ...(checksum === 'sha256' ? { ChecksumAlgorithm: 'SHA256' } : {}),
  });
  const { UploadId } = await bucket.call(call, (options) => bucket.client.send(command, options));
  if (UploadId === undefined)
    throw new IngotError('unexpected', `${bucket.settings.address} began an upload without an id`);
  return { bucket, call, uploadId: UploadId, sizeBytes };
}

async function sendParts(upload: Upload, body: BlobBody, inFlight: Set<Promise<void>>): Promise<CompletedPart[]> {
  const { key, signal } = upload.call;
  const partBytes = Math.max(upload.bucket.settings.partBytes, Math.ceil(upload.sizeBytes / MOST_PARTS));
  const done: CompletedPart[] = [];
  let failure: { readonly error: unknown } | undefined;
  for await (const part of partsOf(key, body, partBytes, signal)) {
    const sending: Promise<void> = sendPart(upload, part)
      .then((completed) => void done.push(completed))
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
    if (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight);
    if (failure !== undefined) throw failure.error;
  }
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure.error;
  return done.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
}

async function sendPart({ bucket, call, uploadId }: Upload, part: Part): Promise<CompletedPart> {
  const checksum = part.sha256.toString('base64');
  const command = new UploadPartCommand({
    ...bucket.target(call.key),
    ...bucket.customerKey,
    ChecksumSHA256: checksum,
    UploadId: uploadId,
    PartNumber: part.number,
    Body: payloadOf(part),
    ContentLength: part.sizeBytes,
  });
  const { ETag } = await bucket.call(call, (options) => bucket.client.send(command, options));
  return {
    PartNumber: part.number,
    ...(ETag === undefined ? {} : { ETag }),
    ...(bucket.settings.checksum === 'sha256' ? { ChecksumSHA256: checksum } : {}),
  };
}

async function complete({ bucket, call, uploadId }: Upload, parts: CompletedPart[]): Promise<'created'> {
  const command = new CompleteMultipartUploadCommand({
    ...bucket.target(call.key),
    ...bucket.customerKey,
    UploadId: uploadId,
    IfNoneMatch: '*',
    MultipartUpload: { Parts: parts },
  });
  try {
    await bucket.send(call, (options) => bucket.client.send(command, options));
    return 'created';
  } catch (error) {
    throw isTaken(error) ? error : await bucket.explain(error, call);
  }
}

// The signal may be what ended the upload. Parts that cannot be dropped now are left to the bucket's lifecycle rule;
// what has to be reported is what failed before.
async function abandon({ bucket, call, uploadId }: Upload): Promise<void> {
  const command = new AbortMultipartUploadCommand({ ...bucket.target(call.key), UploadId: uploadId });
  await bucket.client.send(command).catch(() => {});
}
