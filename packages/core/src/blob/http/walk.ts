import type { BlobEntry, BlobStat } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { compareKeys } from '../key.ts';
import type { FileNames } from '../local/names.ts';
import { inOrder } from './in-order.ts';
import type { IndexedName } from './index-page.ts';

const AT_ONCE = 16;

/** What a walk looks for. */
export interface WalkOptions {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly names: FileNames;
}

/** A place whose directories have index pages. Paths are made of file names and end with a slash, or are empty. */
export interface IndexedPlace {
  /** Reads a directory's index; undefined when there is no such directory. */
  index(path: string): Promise<readonly IndexedName[] | undefined>;
  /** Looks at a blob. */
  look(key: string): Promise<BlobStat | undefined>;
  /** Whether some blobs are directories. */
  readonly directoryForm: boolean;
}

type Found = BlobEntry | { readonly key: string; readonly path: string };

/** Lists the blobs of a place in the order of their keys: one request a directory, and one a blob for its size. */
export async function* walkIndex(place: IndexedPlace, options: WalkOptions): AsyncIterable<BlobEntry> {
  const base = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  const segments = base.split('/').slice(0, -1);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return;
  yield* walkDirectory(place, segments.map((segment) => `${options.names.nameOf(segment)}/`).join(''), base, options);
}

async function* walkDirectory(
  place: IndexedPlace,
  path: string,
  base: string,
  options: WalkOptions,
): AsyncIterable<BlobEntry> {
  const names = (await place.index(path)) ?? [];
  const wanted = names.filter(({ segment, isDirectory }) => mayHold(base + segment, isDirectory, options));
  const found = await inOrder(wanted, AT_ONCE, async ({ name, segment, isDirectory }): Promise<Found | undefined> => {
    stopIfInterrupted(options.signal, 'blob.list');
    const key = base + segment;
    // Deleted between the index and now.
    const stat = isDirectory && !place.directoryForm ? undefined : await place.look(key);
    if (stat !== undefined) return { key, ...stat };
    return isDirectory ? { key: `${key}/`, path: `${path}${name}/` } : undefined;
  });
  const sorted = found.filter((one) => one !== undefined).sort((a, b) => compareKeys(a.key, b.key));
  for (const one of sorted) {
    stopIfInterrupted(options.signal, 'blob.list');
    if ('path' in one) yield* walkDirectory(place, one.path, one.key, options);
    else if (isWanted(one.key, options)) yield one;
  }
}

// A directory may be a blob or a folder of blobs: it is looked at when either could be wanted.
function mayHold(key: string, isDirectory: boolean, options: WalkOptions): boolean {
  return isWanted(key, options) || (isDirectory && isFolderWanted(`${key}/`, options));
}

function isWanted(key: string, { prefix, after }: WalkOptions): boolean {
  return key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0);
}

function isFolderWanted(key: string, { prefix, after }: WalkOptions): boolean {
  if (!key.startsWith(prefix) && !prefix.startsWith(key)) return false;
  // Everything under a folder that sorts before `after` does too, unless `after` itself lies in it.
  return after === undefined || compareKeys(key, after) > 0 || after.startsWith(key);
}
