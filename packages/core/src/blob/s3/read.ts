import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { IngotError } from '../../errors.ts';
import type { BlobReadOptions, ByteRange } from '../blob-store.ts';
import { checkRange, fitRange } from '../range.ts';
import { wholeStream } from '../silence.ts';
import type { Bucket, Call } from './bucket.ts';
import { failureOf, isMissing } from './failure-facts.ts';
import { lookAt, versionOf } from './look.ts';

/** Streams an object or a range of it. */
export async function* readObject(bucket: Bucket, call: Call, options: BlobReadOptions): AsyncIterable<Uint8Array> {
  const { range, objectVersion } = options;
  checkRange(range);
  const answer = range !== undefined && range.start === range.end ? undefined : await get(bucket, call, options);
  if (answer === undefined) return checkEmptyRange(bucket, call, range, objectVersion);
  const { Body: body, ContentLength: sizeBytes } = answer;
  if (!(body instanceof Readable)) throw new IngotError('unexpected', `${bucket.settings.address} gave no body`);
  try {
    checkExtent(call.key, answer, range);
    yield* wholeStream(body, {
      key: call.key,
      sizeBytes: sizeBytes ?? Number.NaN,
      silenceMs: bucket.settings.silenceMs,
      signal: call.signal,
      into: options.into,
      translate: (error) => error,
    });
  } catch (error) {
    throw await bucket.explain(error, call);
  } finally {
    body.destroy();
  }
}

/** Sends the request; undefined when the range begins behind the last byte, as S3 has no answer to that. */
async function get(
  bucket: Bucket,
  call: Call,
  { range, objectVersion }: BlobReadOptions,
): Promise<GetObjectCommandOutput | undefined> {
  const command = new GetObjectCommand({
    ...bucket.target(call.key),
    ...bucket.customerKey,
    ...versionOf(objectVersion),
    ...(range === undefined || isWhole(range)
      ? {}
      : { Range: `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}` }),
  });
  try {
    return await bucket.send(call, (options) =>
      objectVersion === undefined
        ? bucket.readsAlike.send(bucket.client, command, call.key, options)
        : bucket.client.send(command, options),
    );
  } catch (error) {
    if (failureOf(error).status === 416) return undefined;
    throw isMissing(error) ? missing(bucket, call) : await bucket.explain(error, call);
  }
}

const isWhole = ({ start, end }: ByteRange) => start === 0 && end === undefined;

async function checkEmptyRange(
  bucket: Bucket,
  call: Call,
  range: ByteRange | undefined,
  objectVersion: string | undefined,
): Promise<void> {
  const stat = await lookAt(bucket, call, objectVersion);
  if (stat === undefined) throw missing(bucket, call);
  fitRange(call.key, stat.sizeBytes, range);
}

/** Checks that the answer is the range that was asked for. */
function checkExtent(
  key: string,
  { ContentLength: sizeBytes, ContentRange: extent }: GetObjectCommandOutput,
  range: ByteRange | undefined,
): void {
  if (sizeBytes === undefined)
    throw new IngotError('unavailable', `the storage does not say how long "${key}" is`, { retryable: false });
  if (range === undefined || isWhole(range)) return;
  const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(extent ?? '') ?? [];
  if (start === undefined)
    throw new IngotError('unexpected', `the storage gave all of "${key}" when it was asked for a range`);
  const wanted = fitRange(key, Number(total), range);
  if (Number(start) === wanted.start && Number(end) + 1 === wanted.end && sizeBytes === wanted.end - wanted.start)
    return;
  throw new IngotError('unexpected', `the storage gave another range of "${key}" than it was asked for`);
}

function missing(bucket: Bucket, { key }: Call): IngotError {
  return new IngotError('content-not-found', `there is no blob "${key}" in ${bucket.settings.address}`, {
    operation: 'blob.read',
    details: { key },
  });
}
