import { ListObjectVersionsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { BlobEntry, BlobVersion } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import type { Bucket, Call } from './bucket.ts';
import { statOf } from './look.ts';

const PAGE = 1000;

/** Lists objects in the order of their keys' bytes, which is S3's own. */
export async function* listObjects(bucket: Bucket, call: Call, after: string | undefined): AsyncIterable<BlobEntry> {
  const { prefix } = bucket.settings;
  // Names that begin with the after-key's bytes but not with the prefix do no harm: the prefix decides.
  let from: { readonly StartAfter?: string; readonly ContinuationToken?: string } =
    after === undefined || after === '' ? {} : { StartAfter: `${prefix}${after}` };
  for (;;) {
    const command = new ListObjectsV2Command({
      ...bucket.whole(),
      ...from,
      Prefix: `${prefix}${call.key}`,
      MaxKeys: PAGE,
      EncodingType: 'url',
    });
    const page = await bucket.call(call, (options) => bucket.client.send(command, options));
    for (const { Key, Size, LastModified, ETag } of page.Contents ?? []) {
      stopIfInterrupted(call.signal, call.operation);
      const key = decoded(Key, page.EncodingType).slice(prefix.length);
      // Some tools make objects that stand for folders.
      if (key !== '' && !key.endsWith('/')) yield { key, ...statOf(Size, LastModified, ETag) };
    }
    if (page.IsTruncated !== true || page.NextContinuationToken === undefined) return;
    from = { ContinuationToken: page.NextContinuationToken };
  }
}

/** Lists what the bucket keeps of one key, newest first. */
export async function* listVersions(bucket: Bucket, call: Call): AsyncIterable<BlobVersion> {
  const wanted = `${bucket.settings.prefix}${call.key}`;
  let from: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } = {};
  for (;;) {
    const command = new ListObjectVersionsCommand({
      ...bucket.whole(),
      ...from,
      Prefix: wanted,
      MaxKeys: PAGE,
      EncodingType: 'url',
    });
    const page = await bucket.call(call, (options) => bucket.client.send(command, options));
    for (const { Key, Size, LastModified, ETag, VersionId, IsLatest } of page.Versions ?? []) {
      stopIfInterrupted(call.signal, call.operation);
      if (decoded(Key, page.EncodingType) !== wanted || VersionId === undefined) continue;
      yield { ...statOf(Size, LastModified, ETag), objectVersion: VersionId, isNewest: IsLatest === true };
    }
    // Longer keys that begin alike come behind this one.
    if (page.IsTruncated !== true || decoded(page.NextKeyMarker, page.EncodingType) !== wanted) return;
    from = {
      KeyMarker: wanted,
      ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
    };
  }
}

// Some servers leave keys as they are, and say so by not naming the encoding.
const decoded = (text: string | undefined = '', encoding: string | undefined) =>
  encoding === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
