import type { BlobStat, BlobStore } from '../blob/blob-store.ts';
import { IngotError } from '../errors.ts';
import { isHiddenName, type PlaceEntry, type PlaceListing, type SourceFileFacts, type SourcePlace } from './place.ts';

/** Reads plain files through a storage backend. */
export function blobPlace(blobs: BlobStore): SourcePlace {
  const versions = blobs.versions?.bind(blobs);
  return {
    address: blobs.address,
    growsInPlace: blobs.capabilities.localFiles,
    isRemote: true,
    file: async (path, options = {}) => {
      checkVersioned(blobs, options.objectVersion);
      const found = await blobs.stat(path, options);
      return found && factsOf(path, found);
    },
    list: (prefix, listing) => listBlobs(blobs, prefix, listing),
    read: (path, { start = 0, ...options } = {}) =>
      blobs.read(path, { ...options, ...(start > 0 && { range: { start } }) }),
    ...(versions && {
      versions: async function* (path: string, options = {}) {
        for await (const version of versions(path, options)) yield factsOf(path, version);
      },
    }),
  };
}

function checkVersioned(blobs: BlobStore, objectVersion: string | undefined): void {
  if (objectVersion === undefined || blobs.versions !== undefined) return;
  throw new IngotError(
    'usage',
    `${blobs.address} keeps no versions of its files, so "${objectVersion}" names nothing there`,
  );
}

async function* listBlobs(
  blobs: BlobStore,
  prefix: string,
  { enters, signal }: PlaceListing,
): AsyncGenerator<PlaceEntry> {
  const base = prefix.lastIndexOf('/') + 1;
  let [after, closed, passed]: [string | undefined, string | undefined, number] = [undefined, undefined, 0];
  do {
    const behind = after === undefined ? {} : { after };
    after = undefined;
    for await (const blob of blobs.list(prefix, { signal, ...behind })) {
      if (closed !== undefined && blob.key.startsWith(`${closed}/`)) {
        passed += 1;
        if (passed < MOST_PASSED) continue;
        after = `${closed}/\u{10ffff}`;
        break;
      }
      if (isHidden(blob.key, base)) continue;
      closed = closedDirectory(blob.key, base, enters);
      passed = 0;
      if (closed === undefined) yield { kind: 'file', ...factsOf(blob.key, blob) };
      else yield { kind: 'directory', path: closed };
    }
  } while (after !== undefined);
}

/** What a page of a listing holds: a directory that is not entered and has more is passed over by listing behind it. */
const MOST_PASSED = 1000;

function isHidden(key: string, base: number): boolean {
  return key.slice(base).split('/').some(isHiddenName);
}

/** The outermost directory above a key that is not entered. */
function closedDirectory(key: string, base: number, enters: (directory: string) => boolean): string | undefined {
  for (let at = key.indexOf('/', base); at >= 0; at = key.indexOf('/', at + 1)) {
    const directory = key.slice(0, at);
    if (!enters(directory)) return directory;
  }
  return undefined;
}

function factsOf(path: string, stat: BlobStat): SourceFileFacts {
  const { sizeBytes, modifiedAt, revision, objectVersion } = stat;
  return {
    path,
    sizeBytes,
    modifiedAt,
    revision: revision ?? `${sizeBytes}-${modifiedAt.getTime()}`,
    ...(objectVersion !== undefined && { objectVersion }),
  };
}
