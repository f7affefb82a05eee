import { decodePiece } from './content/coding.ts';
import { type PackedEntry, parsePackFooter, TRAILER_BYTES } from './content/pack.ts';
import { createDigester, digestOf } from './digest.ts';
import { IngotError } from './errors.ts';

/**
 * Checks a whole pack in memory.
 * @throws IngotError `integrity` when an entry or the footer has other bytes than it should.
 */
export function verifyPack(pack: string, bytes: Buffer): void {
  const verifier = new PackVerifier(pack, parsePackFooter(footerOf(pack, bytes), pack, dataBytesOf(bytes)));
  verifier.take(bytes);
  verifier.finish();
}

function dataBytesOf(bytes: Buffer): number {
  const trailerAt = bytes.byteLength - TRAILER_BYTES;
  return trailerAt - Number(bytes.readBigUInt64BE(trailerAt));
}

function footerOf(pack: string, bytes: Buffer): Buffer {
  const trailerAt = bytes.byteLength - TRAILER_BYTES;
  const start = trailerAt < 0 ? -1 : dataBytesOf(bytes);
  if (start < 0 || bytes.toString('latin1', bytes.byteLength - 8) !== 'INGOTPK1')
    throw damagedPack(pack, 'it does not end as packs do');
  return bytes.subarray(start, trailerAt);
}

/**
 * Checks the bytes of a pack while they pass: each entry against its digest, the footer against the trailer. Its methods
 * throw IngotError `integrity`.
 */
export class PackVerifier {
  readonly #pack: string;
  readonly #entries: readonly PackedEntry[];
  readonly #tail: Uint8Array[] = [];
  #next = 0;
  #left: number;
  #held: Uint8Array[] = [];
  #digester = createDigester();

  constructor(pack: string, entries: readonly PackedEntry[]) {
    this.#pack = pack;
    this.#entries = entries;
    this.#left = entries[0]?.length ?? 0;
  }

  /** Takes the next bytes, in any sizes; the memory may be used again afterwards. */
  take(bytes: Uint8Array): void {
    let rest = bytes;
    for (let entry = this.#entries[this.#next]; entry !== undefined && rest.byteLength > 0; ) {
      const some = rest.subarray(0, this.#left);
      rest = rest.subarray(some.byteLength);
      this.#left -= some.byteLength;
      if (entry.coding === undefined) this.#digester.update(some);
      else this.#held.push(Uint8Array.from(some));
      if (this.#left > 0) return;
      this.#close(entry);
      entry = this.#entries[++this.#next];
      this.#left = entry?.length ?? 0;
    }
    // The stream may use its buffer again.
    if (rest.byteLength > 0) this.#tail.push(Uint8Array.from(rest));
  }

  #close(entry: PackedEntry): void {
    const digest =
      entry.coding === undefined
        ? this.#digester.finish()
        : digestOf(decodePiece(entry.coding, Buffer.concat(this.#held), entry.size ?? 0));
    if (digest !== entry.digest) throw damagedPack(this.#pack, `its entry ${entry.digest} has other bytes`);
    this.#digester = createDigester();
    this.#held = [];
  }

  /** To be called behind the last byte. */
  finish(): void {
    const tail = Buffer.concat(this.#tail);
    const footer = tail.subarray(0, Math.max(0, tail.byteLength - TRAILER_BYTES));
    const said = tail.subarray(footer.byteLength + 8, footer.byteLength + 40).toString('hex');
    if (this.#next < this.#entries.length || digestOf(footer) !== `sha256:${said}`)
      throw damagedPack(this.#pack, 'its footer has other bytes');
  }
}

/** The error of a pack of the source whose bytes are not what they were. */
export function damagedPack(pack: string, why: string): IngotError {
  return new IngotError('integrity', `pack ${pack} is damaged: ${why}`, {
    hint: 'ingot check --read-data   (of the source; names the versions that it belongs to)',
    details: { pack },
  });
}
