import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { collect } from '../../blob/bytes.ts';
import { createDigester, digestOf } from '../../digest.ts';
import { IngotError } from '../../errors.ts';
import { decodePiece } from '../coding.ts';
import { packKey } from '../locator.ts';
import type { PackedEntry } from '../pack.ts';

/** Entries up to this size are read whole and checked before any of their bytes are given. */
const HELD_BYTES = 8 * 1024 * 1024;

/** Checks the bytes of an entry as they lie in a pack. Throws `integrity`, `refused` for a coding of a later release. */
export function checkEntry(pack: string, entry: PackedEntry, stored: Uint8Array): void {
  const decoded = entry.coding === undefined ? stored : decodePiece(entry.coding, stored, entry.size ?? 0);
  if (digestOf(decoded) !== entry.digest) throw damagedEntry(pack, entry);
}

/** Says that an entry is not what its pack's footer lists. */
function damagedEntry(pack: string, { digest, offset }: PackedEntry): IngotError {
  return new IngotError('integrity', `the entry ${digest} at ${offset} of pack ${pack} has other bytes now`, {
    details: { pack },
  });
}

/**
 * Streams an entry as it lies in its pack, verified; of a large one only the last bytes are held back until all are
 * checked, so that a wrong one never gets to its full length.
 * @throws IngotError `integrity`, `content-not-found`.
 */
export async function* entryStream(
  blobs: Pick<BlobStore, 'read'>,
  pack: string,
  entry: PackedEntry,
  options: BlobOptions,
): AsyncIterable<Uint8Array> {
  const stream = blobs.read(packKey(pack), {
    ...options,
    range: { start: entry.offset, end: entry.offset + entry.length },
  });
  if (entry.length <= HELD_BYTES || entry.coding !== undefined) {
    const bytes = await collect(stream);
    checkEntry(pack, entry, bytes);
    yield bytes;
    return;
  }
  const digester = createDigester();
  let last: Uint8Array | undefined;
  for await (const bytes of stream) {
    digester.update(bytes);
    if (last !== undefined) yield last;
    last = bytes;
  }
  if (digester.finish() !== entry.digest) throw damagedEntry(pack, entry);
  if (last !== undefined) yield last;
}
