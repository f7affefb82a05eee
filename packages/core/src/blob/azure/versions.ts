import type { BlobItem } from '@azure/storage-blob';
import type { BlobVersion } from '../blob-store.ts';
import { bareEtag, ETAG, SNAPSHOT } from './object-version.ts';

/** Gives the states of one blob that can be read, newest first. */
export function versionsIn(items: readonly BlobItem[]): BlobVersion[] {
  return items.map(describe).sort((a, b) => rank(a) - rank(b) || Number(b.modifiedAt) - Number(a.modifiedAt));
}

function describe({ properties, snapshot, versionId, isCurrentVersion }: BlobItem): BlobVersion {
  const isSnapshot = snapshot !== undefined && snapshot !== '';
  const objectVersion = isSnapshot ? `${SNAPSHOT}${snapshot}` : (versionId ?? `${ETAG}${bareEtag(properties.etag)}`);
  return {
    objectVersion,
    sizeBytes: properties.contentLength ?? 0,
    // A snapshot has the time of the state that it keeps.
    modifiedAt: properties.lastModified,
    revision: bareEtag(properties.etag),
    isNewest: !isSnapshot && (versionId === undefined || isCurrentVersion === true),
  };
}

const rank = ({ isNewest }: BlobVersion) => (isNewest ? 0 : 1);
