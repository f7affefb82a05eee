import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { createStore, openStore, type StoreFormat } from './content/store-format.ts';
import { IngotError, isIngotError } from './errors.ts';
import type { StorePair } from './mirror-logs.ts';

/** Both stores of a mirroring, and whether it only says what it would do. */
export interface MirrorPair extends StorePair {
  /** Default: false. */
  readonly dryRun?: boolean;
}

/**
 * Opens the mirror, or makes an empty storage one (in a dry run: leaves it empty).
 * @returns whether there is nothing yet, which only a dry run finds.
 * @throws IngotError `conflict` when the destination holds something else, or follows another store.
 */
export async function openMirror(format: StoreFormat, pair: MirrorPair, options: BlobOptions): Promise<boolean> {
  const { source, destination, dryRun } = pair;
  try {
    const found =
      dryRun === true
        ? await openStore(destination, options)
        : await createStore(destination, { ...options, mirrorOf: { format, address: source.address } });
    if (found.id === format.id && found.follows !== undefined) return false;
    throw notMirror(found, format, pair);
  } catch (error) {
    if (dryRun === true && isIngotError(error, 'store-not-found') && (await isEmpty(destination, options))) return true;
    const isOther = isIngotError(error, 'conflict') || (dryRun === true && isIngotError(error, 'store-not-found'));
    if (!isOther || error.operation === 'mirror') throw error;
    throw new IngotError('conflict', `${destination.address} holds other files, and is no mirror`, {
      operation: 'mirror',
      hint: 'mirror to an empty directory or prefix; nothing was changed',
      details: error.details,
      cause: error,
    });
  }
}

/**
 * Makes sure that the mirror still is one: who makes it a store of its own must not get events any more. One request.
 * @throws IngotError `conflict` when it was detached meanwhile.
 */
export async function refuseDetached(pair: MirrorPair, options: BlobOptions): Promise<void> {
  const format = await openStore(pair.destination, options);
  if (format.follows === undefined) throw notMirror(format, await openStore(pair.source, options), pair);
}

/** A bucket or directory that is not there is another matter, and says so itself. */
async function isEmpty(blobs: BlobStore, options: BlobOptions): Promise<boolean> {
  for await (const { key } of blobs.list('', options)) if (!key.startsWith('changes/')) return false;
  return true;
}

function notMirror(found: StoreFormat, format: StoreFormat, { source, destination }: StorePair): IngotError {
  const what =
    found.follows !== undefined
      ? `a mirror of another store, ${found.follows}`
      : found.detached === undefined
        ? 'a store of its own'
        : `a store of its own since ${found.detached.at}, when it was detached from ${found.detached.from}`;
  return new IngotError('conflict', `${destination.address} is ${what}, not a mirror of ${source.address}`, {
    operation: 'mirror',
    hint: 'mirror to an empty address; nothing was changed',
    details: { source: format.id, destination: found.id },
  });
}
