import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { collect } from '../blob/bytes.ts';
import { type Digest, digestOf } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import type { PageRef, Recipe } from './content-store.ts';
import { packKey } from './locator.ts';
import { readPieces } from './read-pieces.ts';
import { type Piece, parsePage } from './recipe.ts';

/** Pages are asked for so many at a time, neighbours with one request. */
const BATCH = 32;
/** The same where only their bytes are wanted. */
const BYTES_BATCH = 256;
const GAP_BYTES = 16 * 1024;
const MOST_BYTES = 4 * 1024 * 1024;

/** Pages that are on this machine already, by digest. */
export interface KnownPages {
  /** Gives the bytes of a page; undefined when they are not here. They are checked by the caller. */
  page(digest: Digest): Promise<Uint8Array | undefined>;
}

/** A page that was read and checked. */
export interface ReadPage {
  readonly ref: PageRef;
  readonly bytes: Uint8Array;
  readonly pieces: readonly Piece[];
}

/** Options of {@link streamPages}. */
export interface PageStreamOptions extends BlobOptions {
  /** Pages that need not be fetched. */
  readonly known?: KnownPages;
  /** Counts bytes that come from the store. */
  readonly onFetched?: (bytes: number) => void;
}

/**
 * Streams the pages of a recipe in order, the next ones asked for while the last are used.
 * @throws IngotError `content-not-found`, `integrity`.
 */
export async function* streamPages(
  blobs: BlobStore,
  recipe: Recipe,
  options: PageStreamOptions = {},
): AsyncGenerator<ReadPage> {
  const { pages } = recipe;
  const batches = Math.ceil(pages.length / BATCH);
  const readBatch = (n: number): Promise<readonly ReadPage[]> | undefined => {
    if (n >= batches) return undefined;
    const reading = readPages(blobs, pages.slice(n * BATCH, (n + 1) * BATCH), options);
    // A failure is told when its turn comes; a reader that stops early never asks.
    reading.catch(() => {});
    return reading;
  };
  let next = readBatch(0);
  for (let n = 1; next !== undefined; n += 1) {
    const current = await next;
    next = readBatch(n);
    yield* current;
  }
}

async function readPages(
  blobs: BlobStore,
  refs: readonly PageRef[],
  options: PageStreamOptions,
): Promise<readonly ReadPage[]> {
  const found = await gatherPages(blobs, refs, options);
  return await Promise.all(
    refs.map(async (ref) => read(ref, found.get(ref.digest) ?? (await readOne(blobs, ref, options)))),
  );
}

/** Reads the bytes of pages, those that lie together at once. Pages that are lost or damaged are left out. */
export async function* readPageBytes(
  blobs: BlobStore,
  refs: readonly PageRef[],
  options: BlobOptions = {},
): AsyncGenerator<{ readonly ref: PageRef; readonly bytes: Buffer }> {
  for (let at = 0; at < refs.length; at += BYTES_BATCH) {
    const batch = refs.slice(at, at + BYTES_BATCH);
    const found = await gatherPages(blobs, batch, options);
    for (const ref of batch) {
      const bytes = found.get(ref.digest) ?? (await orLost(() => readOne(blobs, ref, options)));
      if (bytes !== undefined) yield { ref, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    }
  }
}

/** Gives what a reading gives; undefined when what is read is lost or damaged. */
export async function orLost<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isIngotError(error, 'content-not-found', 'integrity')) return undefined;
    throw error;
  }
}

/** Pages that are known, and those that can be read many at a time; others are not found. */
async function gatherPages(
  blobs: BlobStore,
  refs: readonly PageRef[],
  options: PageStreamOptions,
): Promise<ReadonlyMap<Digest, Uint8Array>> {
  const found = new Map<Digest, Uint8Array>();
  for (const { digest } of refs) {
    const bytes = await options.known?.page(digest);
    if (bytes !== undefined && digestOf(bytes) === digest) found.set(digest, bytes);
  }
  const missing = [
    ...new Map(refs.filter(({ digest }) => !found.has(digest)).map((ref) => [ref.digest, ref])).values(),
  ];
  await Promise.all(neighbours(missing).map((run) => readRun(blobs, run, found, options)));
  return found;
}

function read(ref: PageRef, bytes: Uint8Array): ReadPage {
  const what = `the page ${ref.digest}`;
  const pieces = parsePage(bytes, what);
  if (pieces.length === ref.pieces) return { ref, bytes, pieces };
  throw new IngotError('integrity', `${what} has ${pieces.length} chunks, its recipe says ${ref.pieces}`);
}

/** Groups pages that lie close together in a pack. */
function neighbours(refs: readonly PageRef[]): readonly (readonly PageRef[])[] {
  const sorted = [...refs].sort((a, b) => (a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1));
  const runs: PageRef[][] = [];
  let [start, end] = [0, 0];
  for (const ref of sorted) {
    const run = runs.at(-1);
    const joins =
      run?.[0]?.pack === ref.pack && ref.offset <= end + GAP_BYTES && ref.offset + ref.length - start <= MOST_BYTES;
    if (joins) run?.push(ref);
    else {
      runs.push([ref]);
      start = ref.offset;
    }
    end = joins ? Math.max(end, ref.offset + ref.length) : ref.offset + ref.length;
  }
  return runs;
}

/** Reads a run of pages with one request; a page that comes damaged, or whose pack is gone, is left out. */
async function readRun(
  blobs: BlobStore,
  run: readonly PageRef[],
  found: Map<Digest, Uint8Array>,
  { signal, onFetched }: PageStreamOptions,
): Promise<void> {
  const [first, last] = [run[0], run.at(-1)];
  if (first === undefined || last === undefined) return;
  const range = { start: first.offset, end: Math.max(...run.map(({ offset, length }) => offset + length)) };
  const read = blobs.read(packKey(first.pack), { range, ...(signal && { signal }) });
  const bytes = await orLost(() => collect(read));
  if (bytes === undefined) return;
  onFetched?.(bytes.byteLength);
  for (const { digest, offset, length } of run) {
    // A copy, so that one page that is kept does not keep all of them.
    const page = Buffer.from(bytes.subarray(offset - first.offset, offset - first.offset + length));
    if (digestOf(page) === digest) found.set(digest, page);
  }
}

/** Asks for one page once more, by itself, following where its pack went, with errors that name it. */
async function readOne(blobs: BlobStore, ref: PageRef, { signal, onFetched }: PageStreamOptions): Promise<Uint8Array> {
  const pieces = async function* () {
    yield [ref];
  };
  const bytes = await collect(readPieces(blobs, pieces(), `the page ${ref.digest}`, signal ? { signal } : {}));
  onFetched?.(bytes.byteLength);
  return bytes;
}
