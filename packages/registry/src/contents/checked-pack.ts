import { collect } from '@ingot/core/blob/bytes';
import { type PackedEntry, parsePackFooter, TRAILER_BYTES } from '@ingot/core/content/pack';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { PackVerifier } from '@ingot/core/mirror-pack-verifier';

const MIB = 1024 * 1024;
/** What a pack of the largest size may list. */
const MAX_FOOTER_BYTES = 16 * MIB;
/** What the entries of one pack may decode to, all together: no weights become so small. */
const MAX_DECODED_BYTES = 256 * MIB;
/** So much is hashed before others get their turn. */
const TURN_BYTES = MIB;

/** Bytes that can be read from anywhere. */
export interface PackBytes {
  readonly sizeBytes: number;
  read(start?: number, end?: number): AsyncIterable<Uint8Array>;
}

/**
 * Checks that a pack is what it says: every entry has its digest, and the footer lists them all.
 * @returns its entries.
 * @throws IngotError `integrity`.
 */
export async function checkedPack(pack: string, bytes: PackBytes): Promise<readonly PackedEntry[]> {
  try {
    const entries = await entriesOf(pack, bytes);
    checkDecoded(entries);
    const verifier = new PackVerifier(pack, entries);
    for await (const piece of bytes.read()) {
      for (let at = 0; at < piece.byteLength; at += TURN_BYTES) {
        verifier.take(piece.subarray(at, at + TURN_BYTES));
        await othersTurn();
      }
    }
    verifier.finish();
    return entries;
  } catch (error) {
    if (!isIngotError(error, 'integrity', 'refused')) throw error;
    throw new IngotError('integrity', `pack ${pack} is not what it says it is: ${error.message}`, {
      hint: 'push again',
      details: { pack },
      cause: error,
    });
  }
}

async function entriesOf(pack: string, bytes: PackBytes): Promise<readonly PackedEntry[]> {
  const trailerAt = bytes.sizeBytes - TRAILER_BYTES;
  if (trailerAt < 0) throw new IngotError('integrity', 'it is too short');
  const trailer = await collect(bytes.read(trailerAt));
  const length = Number(trailer.readBigUInt64BE(0));
  if (trailer.toString('latin1', 40) !== 'INGOTPK1') throw new IngotError('integrity', 'it does not end as packs do');
  if (length > Math.min(trailerAt, MAX_FOOTER_BYTES))
    throw new IngotError('integrity', `its footer cannot have ${length} bytes`);
  const footer = await collect(bytes.read(trailerAt - length, trailerAt));
  return parsePackFooter(footer, pack, trailerAt - length);
}

function checkDecoded(entries: readonly PackedEntry[]): void {
  const decoded = entries.reduce((sum, { length, size }) => sum + (size ?? length), 0);
  if (decoded > MAX_DECODED_BYTES)
    throw new IngotError('integrity', `its entries would decode to ${decoded} bytes, more than ${MAX_DECODED_BYTES}`);
  if (entries.some(({ length }) => length === 0)) throw new IngotError('integrity', 'it has an empty entry');
}

const othersTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
