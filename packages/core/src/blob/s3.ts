/**
 * Blobs as objects of an S3 bucket, Amazon's or a compatible server's.
 *
 * A *bucket* is where objects lie; the *prefix* is what every key of this store begins with; an *endpoint* is the
 * server's address where it is not Amazon's. An address is `s3://bucket/prefix`, with `?endpoint=`, `?region=` and
 * `?path-style=` where wanted. A custom endpoint implies path-style requests (`/bucket/key`).
 *
 * Who one is comes from Amazon's usual chain: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (`AWS_SESSION_TOKEN`),
 * `AWS_PROFILE` with the shared configuration, single sign-on, web identity, container and instance roles. Further
 * variables are in `s3/settings.ts`.
 *
 * Requests: `stat`, `delete` and `read` one each (a read of an empty range, and one that starts at or behind the end,
 * ask for the size), `list` and `versions` one per 1,000, `write` one up to four parts (32 MiB by default) and above that
 * three and one per part. The first missing blob that `stat` meets asks once whether the bucket is there.
 *
 * A writer that is killed in a large write leaves an unfinished multipart upload, which no listing shows and the bucket
 * is charged for: give it a lifecycle rule that aborts them after a day (`AbortIncompleteMultipartUpload`). In a bucket
 * with versioning `delete` leaves a marker, and the bytes stay as an older version until a rule expires them.
 */

import type { BlobStore } from './blob-store.ts';
import { readS3Settings } from './s3/settings.ts';

/** What {@link openS3BlobStore} depends on. */
export interface OpenS3Options {
  /** The variables that configure it. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Opens a bucket, or a prefix of one, as a blob store. Sends no request; loads the SDK.
 * @throws IngotError `usage` for a malformed address, `invalid-config` for a malformed variable.
 *
 * @example
 * const blobs = await openS3BlobStore('s3://models/team?region=eu-central-1', { env: {} });
 */
export async function openS3BlobStore(address: string, { env }: OpenS3Options): Promise<BlobStore> {
  const settings = readS3Settings(address, env);
  const { createS3BlobStore } = await import('./s3/store.ts');
  return createS3BlobStore(settings);
}
