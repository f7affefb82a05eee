/**
 * A *pack* is one blob with many *entries* one after another, then a *footer* that lists them, then a *trailer* of 48
 * bytes: the footer's length (8 bytes, big-endian), its SHA-256 (32 bytes), and `INGOTPK1`. Sizes and digests are
 * known before anything is written, so every offset is too.
 */

import { createHash } from 'node:crypto';
import type { BlobBody, BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { collect } from '../blob/bytes.ts';
import type { Digest } from '../digest.ts';
import { digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { parseObject } from './checked-json.ts';
import { packKey } from './locator.ts';

/** Bytes at the end of every pack that say where its footer is. */
export const TRAILER_BYTES = 48;

const MAGIC = Buffer.from('INGOTPK1');
const MAX_FOOTER_BYTES = 256 * 1024 * 1024;

/** Something that is to lie in a pack. `open` must give exactly `length` bytes: those of the digest, or their coded form. */
export interface PackEntry extends Coded {
  readonly digest: Digest;
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

/** How an entry lies in a pack, when not as it is: its coding, and the length of its decoded bytes. Both or none. */
export interface Coded {
  readonly coding?: string;
  readonly size?: number;
}

/** An entry as a footer lists it. The digest is that of the decoded bytes. */
export interface PackedEntry extends Coded {
  readonly digest: Digest;
  readonly offset: number;
  readonly length: number;
}

/** Makes a pack of entries in this order; the body can be opened again. */
export function packOf(entries: readonly PackEntry[]): BlobBody {
  const end = footerOf(entries);
  return {
    sizeBytes: entries.reduce((sum, { length }) => sum + length, end.byteLength),
    open: async function* () {
      for (const entry of entries) yield* entry.open();
      yield end;
    },
  };
}

function footerOf(entries: readonly PackEntry[]): Buffer {
  let offset = 0;
  const listed = entries.map(({ digest, length, coding, size }): PackedEntry => {
    const at = offset;
    offset += length;
    return { digest, offset: at, length, ...(coding === undefined ? {} : { coding, size }) };
  });
  return sealFooter(listed);
}

/** Writes what stands behind the entries of a pack: the footer that lists them, and the trailer. */
export function sealFooter(entries: readonly PackedEntry[]): Buffer {
  // Canonical as it is: the keys are put in order here, because there are too many entries to sort each.
  const listed = entries.map(({ coding, digest, length, offset, size }) => ({ coding, digest, length, offset, size }));
  const footer = Buffer.from(JSON.stringify({ entries: listed, format: 1 }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(footer.byteLength));
  return Buffer.concat([footer, length, createHash('sha256').update(footer).digest(), MAGIC]);
}

/**
 * Reads the footer of a pack: what lies in it and where. Two or three requests.
 * @throws IngotError `content-not-found` when the pack is missing, `integrity` when it is not whole.
 */
export async function readPackFooter(
  blobs: BlobStore,
  pack: string,
  options: BlobOptions = {},
): Promise<readonly PackedEntry[]> {
  const key = packKey(pack);
  const stat = await blobs.stat(key, options);
  if (stat === undefined)
    throw new IngotError('content-not-found', `pack ${pack} is missing from ${blobs.address}`, { details: { pack } });
  const trailerAt = stat.sizeBytes - TRAILER_BYTES;
  if (trailerAt < 0) throw damaged(pack, 'it is too short');
  const trailer = await collect(blobs.read(key, { ...options, range: { start: trailerAt } }));
  if (!trailer.subarray(40).equals(MAGIC)) throw damaged(pack, 'it does not end as packs do');
  const length = Number(trailer.readBigUInt64BE(0));
  if (length > trailerAt || length > MAX_FOOTER_BYTES) throw damaged(pack, `its footer cannot have ${length} bytes`);
  const footer = await collect(blobs.read(key, { ...options, range: { start: trailerAt - length, end: trailerAt } }));
  if (digestOf(footer) !== `sha256:${trailer.subarray(8, 40).toString('hex')}`)
    throw damaged(pack, 'its footer has another digest');
  return parsePackFooter(footer, pack, trailerAt - length);
}

/** Reads the JSON of a footer and checks that its entries lie one after another. Throws `integrity`. */
export function parsePackFooter(footer: Uint8Array, pack: string, dataBytes: number): readonly PackedEntry[] {
  const fields = parseObject(footer, `the footer of pack ${pack}`);
  if (fields.count('format') !== 1) throw damaged(pack, 'its footer is of an unknown format');
  let at = 0;
  const entries = fields.objects('entries').map((entry) => {
    const packed = {
      digest: entry.digest('digest'),
      offset: entry.count('offset'),
      length: entry.count('length'),
      ...(entry.has('coding') ? { coding: entry.text('coding'), size: entry.count('size') } : {}),
    };
    if (packed.offset !== at) throw damaged(pack, 'its entries do not lie one after another');
    at += packed.length;
    return packed;
  });
  if (at !== dataBytes) throw damaged(pack, 'its entries do not fill it');
  return entries;
}

function damaged(pack: string, why: string): IngotError {
  return new IngotError('integrity', `pack ${pack} is damaged: ${why}`, { details: { pack } });
}
