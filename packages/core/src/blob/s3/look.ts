import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { BlobStat } from '../blob-store.ts';
import type { Bucket, Call } from './bucket.ts';
import { failureOf, isMissing } from './failure-facts.ts';

/** Gives what is known of an object, or undefined when there is none. One request, and once another for the bucket. */
export async function lookAt(bucket: Bucket, call: Call, objectVersion?: string): Promise<BlobStat | undefined> {
  try {
    const head = await bucket.send(call, (options) =>
      bucket.client.send(
        new HeadObjectCommand({ ...bucket.target(call.key), ...bucket.customerKey, ...versionOf(objectVersion) }),
        options,
      ),
    );
    return statOf(head.ContentLength, head.LastModified, head.ETag, head.VersionId);
  } catch (error) {
    if (!isMissing(error) && !isNoVersion(error, objectVersion)) throw await bucket.explain(error, call);
    await bucket.checkThere(call);
    return undefined;
  }
}

/** A version id that no version can have is a bad request, and a HEAD has no words for it. */
function isNoVersion(error: unknown, objectVersion: string | undefined): boolean {
  return objectVersion !== undefined && failureOf(error).status === 400;
}

/** Says whether there is an object. */
export const objectExists = async (bucket: Bucket, call: Call) => (await lookAt(bucket, call)) !== undefined;

/** Names a version in a request. */
export const versionOf = (objectVersion: string | undefined) =>
  objectVersion === undefined ? {} : { VersionId: objectVersion };

/** What is known of an object. Times are whole seconds, as headers say them and listings do not. */
export function statOf(sizeBytes = 0, modified = new Date(0), etag?: string, objectVersion?: string): BlobStat {
  return {
    sizeBytes,
    modifiedAt: new Date(Math.floor(modified.getTime() / 1000) * 1000),
    ...(etag === undefined ? {} : { revision: etag }),
    ...(objectVersion === undefined ? {} : { objectVersion }),
  };
}
