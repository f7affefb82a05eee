import { PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { setTimeout as sleep } from 'node:timers/promises';
import { IngotError } from '../../errors.ts';
import type { BlobBody } from '../blob-store.ts';
import { type Part, partsOf, payloadOf } from './body.ts';
import type { Bucket, Call } from './bucket.ts';
import { failureOf, isTaken, isWriteConflict } from './failure-facts.ts';
import { objectExists } from './look.ts';
import { writeInParts } from './multipart.ts';
import type { S3Settings } from './settings.ts';

/** A body of up to so many parts goes out in one request. */
const PARTS_IN_ONE_REQUEST = 4;
const CONFLICT_ATTEMPTS = 5;
const CONFLICT_PAUSE_MS = 50;
const SMALLEST_CLASSED_BYTES = 128 * 1024;

/** Creates an object unless its key is taken, in one request or in parts. */
export async function writeObject(bucket: Bucket, call: Call, body: BlobBody): Promise<'created' | 'exists'> {
  if (body.sizeBytes > PARTS_IN_ONE_REQUEST * bucket.settings.partBytes) return writeInParts(bucket, call, body);
  for await (const part of partsOf(call.key, body, Number.POSITIVE_INFINITY, call.signal))
    return put(bucket, call, part);
  throw new IngotError('unexpected', 'a body has at least one part');
}

async function put(bucket: Bucket, call: Call, part: Part): Promise<'created' | 'exists'> {
  // Some servers refuse a taken key before they took the body, and close: the refusal is lost. So whoever writes again
  // after a lost answer looks first.
  if (bucket.unanswered.delete(call.key) && (await objectExists(bucket, call))) return 'exists';
  for (let attempt = 1; ; attempt += 1) {
    try {
      await bucket.send(call, (options) => bucket.client.send(putCommand(bucket, call.key, part), options));
      return 'created';
    } catch (error) {
      if (isTaken(error)) return 'exists';
      if (failureOf(error).status === undefined) bucket.unanswered.add(call.key);
      if (!isWriteConflict(error) || attempt === CONFLICT_ATTEMPTS) throw await bucket.explain(error, call);
      // Two writers met; who of them won shows when the storage has settled.
      await sleep(CONFLICT_PAUSE_MS * attempt);
      if (await objectExists(bucket, call)) return 'exists';
    }
  }
}

function putCommand(bucket: Bucket, key: string, part: Part): PutObjectCommand {
  return new PutObjectCommand({
    ...bucket.target(key),
    ...bucket.customerKey,
    ...objectOptions(bucket.settings, part.sizeBytes),
    Body: payloadOf(part),
    ContentLength: part.sizeBytes,
    IfNoneMatch: '*',
    ChecksumSHA256: part.sha256.toString('base64'),
  });
}

/** How an object is to be kept: encryption and class. */
export function objectOptions(
  { encryption, storageClass }: S3Settings,
  sizeBytes: number,
): Pick<
  PutObjectCommandInput,
  'ServerSideEncryption' | 'SSEKMSKeyId' | 'BucketKeyEnabled' | 'StorageClass' | 'ContentType'
> {
  const { mode, kmsKeyId, bucketKey } = encryption;
  return {
    ContentType: 'application/octet-stream',
    ...(mode === undefined ? {} : { ServerSideEncryption: mode }),
    ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    ...(bucketKey === undefined ? {} : { BucketKeyEnabled: bucketKey }),
    ...(storageClass === undefined || sizeBytes < SMALLEST_CLASSED_BYTES ? {} : { StorageClass: storageClass }),
  };
}
