import type { BlobClient } from '@azure/storage-blob';
import { IngotError } from '../../errors.ts';

/** A blob, or one of its older states. */
export interface PointedBlob<Client> {
  readonly blob: Client;
  /** What must hold for it to be the state that was named. */
  readonly conditions: { readonly ifMatch?: string };
}

/** Begins the object version that names a snapshot. */
export const SNAPSHOT = 'snapshot:';

/** Begins the object version that names the present state of a blob without versions. */
export const ETAG = 'etag:';

/** An ETag without its quotes, which replies have and listings have not. */
export const bareEtag = (etag: string): string => etag.replaceAll('"', '');

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/;

/**
 * Points at what an object version names: a version id of Azure (a time), `snapshot:` and the snapshot's time, or `etag:`
 * and the ETag of a blob in an account that keeps no versions.
 * @throws IngotError `usage` when it is none of these.
 */
export function pointAt(blob: BlobClient, objectVersion: string | undefined): PointedBlob<BlobClient> {
  if (objectVersion === undefined) return { blob, conditions: {} };
  if (TIME.test(objectVersion)) return { blob: blob.withVersion(objectVersion), conditions: {} };
  const snapshot = objectVersion.startsWith(SNAPSHOT) ? objectVersion.slice(SNAPSHOT.length) : '';
  if (TIME.test(snapshot)) return { blob: blob.withSnapshot(snapshot), conditions: {} };
  if (objectVersion.startsWith(ETAG)) return { blob, conditions: { ifMatch: `"${objectVersion.slice(ETAG.length)}"` } };
  throw new IngotError('usage', `"${objectVersion}" names no version of a blob`, {
    hint: 'it is a version id as Azure shows it (2026-01-31T12:00:00.0000000Z), or snapshot: and a snapshot’s time',
  });
}
