import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { SignedAddress, SignedUse } from '../blob-store.ts';
import type { Bucket } from './bucket.ts';
import { objectOptions } from './write.ts';

const CREATE_HEADERS = { 'if-none-match': '*', 'content-type': 'application/octet-stream' };

/**
 * Signs an address for a blob. Not for buckets that are read with a customer's key, which must not leave this process,
 * nor for those that are asked without a name.
 */
export async function signAddress(
  bucket: Bucket,
  key: string,
  { use, expiresInSeconds, sizeBytes = 0 }: SignedUse,
): Promise<SignedAddress | undefined> {
  const { settings, client } = bucket;
  if (settings.anonymous || settings.encryption.customerKey !== undefined) return undefined;
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const target = bucket.target(key);
  if (use === 'read') {
    const url = await getSignedUrl(client, new GetObjectCommand(target), { expiresIn: expiresInSeconds });
    return { url, headers: {} };
  }
  const command = new PutObjectCommand({
    ...target,
    ...objectOptions(settings, sizeBytes),
    ContentLength: sizeBytes,
    IfNoneMatch: '*',
  });
  const signableHeaders = new Set(['host', 'content-length', ...Object.keys(CREATE_HEADERS)]);
  const url = await getSignedUrl(client, command, { expiresIn: expiresInSeconds, signableHeaders });
  return { url, headers: CREATE_HEADERS };
}
