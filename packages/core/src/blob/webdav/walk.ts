import type { BlobEntry } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { compareKeys } from '../key.ts';
import { type FileNames, INNER_FILE } from '../local/names.ts';
import type { Dav, DavListing } from './dav.ts';
import { inOrder } from '../http/in-order.ts';

const LOOKS_AT_ONCE = 16;

/** What a walk looks for. */
export interface WalkOptions {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly names: FileNames;
}

/** A blob, or a folder with what lies in it. */
type Found = BlobEntry | { readonly key: string; readonly path: string; readonly listing: DavListing };

/** Lists the blobs of a store in the order of their keys. One request for each collection: each folder and each blob. */
export async function* walkCollections(dav: Dav, options: WalkOptions): AsyncIterable<BlobEntry> {
  const base = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  const segments = base.split('/').slice(0, -1);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return;
  const path = segments.map(options.names.nameOf).join('/');
  const top = await dav.look(path, { operation: 'blob.list', signal: options.signal });
  if (top !== undefined) yield* walkListing(dav, top, path, base, options);
}

async function* walkListing(
  dav: Dav,
  listing: DavListing,
  path: string,
  base: string,
  options: WalkOptions,
): AsyncIterable<BlobEntry> {
  const names = [...listing.children].filter(([name, { isCollection }]) => mayHold(base, name, isCollection, options));
  const found = await inOrder(names, LOOKS_AT_ONCE, async ([name, resource]): Promise<Found | undefined> => {
    stopIfInterrupted(options.signal, 'blob.list');
    const key = base + (options.names.segmentOf(name) ?? '');
    const { sizeBytes, modifiedAt } = resource;
    if (!resource.isCollection) return { key, sizeBytes, modifiedAt };
    const own = path === '' ? name : `${path}/${name}`;
    const inside = await dav.look(own, { operation: 'blob.list', signal: options.signal });
    const inner = inside?.children.get(INNER_FILE);
    if (inner !== undefined) return { key, sizeBytes: inner.sizeBytes, modifiedAt: inner.modifiedAt };
    // Deleted between the listing and now.
    return inside && { key: `${key}/`, path: own, listing: inside };
  });
  const sorted = found.filter((one) => one !== undefined).sort((a, b) => compareKeys(a.key, b.key));
  for (const one of sorted) {
    stopIfInterrupted(options.signal, 'blob.list');
    if ('listing' in one) yield* walkListing(dav, one.listing, one.path, one.key, options);
    else if (isWanted(one.key, options)) yield one;
  }
}

// A collection may be a blob or a folder: it is looked at when either could be wanted.
function mayHold(base: string, name: string, isCollection: boolean, options: WalkOptions): boolean {
  const segment = options.names.segmentOf(name);
  if (segment === undefined) return false;
  const key = base + segment;
  if (isWanted(key, options)) return true;
  return isCollection && isFolderWanted(`${key}/`, options);
}

function isWanted(key: string, { prefix, after }: WalkOptions): boolean {
  return key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0);
}

function isFolderWanted(key: string, { prefix, after }: WalkOptions): boolean {
  if (!key.startsWith(prefix) && !prefix.startsWith(key)) return false;
  // Everything under a folder that sorts before `after` does too, unless `after` itself lies in it.
  return after === undefined || compareKeys(key, after) > 0 || after.startsWith(key);
}
