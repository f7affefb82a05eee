import type { BlobBody } from '../blob/blob-store.ts';
import { IngotError } from '../errors.ts';
import { createOciDigester, type OciDigester } from './digest.ts';
import type { OciDigest } from './oci-place.ts';

/**
 * Gives a body piece by piece in parts of any length, one after another; to go back, it is opened again and what was
 * wanted before is stepped over. All of it is hashed on the way.
 */
export class BodyCursor {
  readonly #open: () => AsyncIterable<Uint8Array>;
  readonly #sizeBytes: number;
  #pieces: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #digester: OciDigester = createOciDigester();
  #at = 0;
  /** What the body itself failed with, which is nobody else's failure. */
  failure: { readonly cause: unknown } | undefined;

  constructor(body: BlobBody) {
    this.#open = () => body.open();
    this.#sizeBytes = body.sizeBytes;
  }

  /** The bytes from `start` on, as a body that may be opened again. */
  part(start: number, sizeBytes: number): BlobBody {
    return { sizeBytes, open: () => this.#read(start, sizeBytes) };
  }

  /**
   * Reads to the end and gives the digest of all of it, SHA-256.
   * @throws IngotError `integrity` when there are more or fewer bytes than was said.
   */
  async finish(): Promise<OciDigest> {
    await this.#seek(this.#sizeBytes);
    await this.#refuseMore();
    return this.#digester.finish();
  }

  async close(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = undefined;
    // Whoever gave the bytes up need not hear how that went.
    await pieces?.return?.()?.catch(() => undefined);
  }

  async *#read(start: number, sizeBytes: number): AsyncGenerator<Uint8Array> {
    await this.#seek(start);
    for (let left = sizeBytes; left > 0; ) {
      const piece = await this.#next(left);
      if (piece === undefined) return;
      left -= piece.byteLength;
      yield piece;
    }
    if (start + sizeBytes === this.#sizeBytes) await this.#refuseMore();
  }

  // What checks a body at its end has to be asked for its end.
  async #refuseMore(): Promise<void> {
    if (this.#at === this.#sizeBytes && (await this.#next()) === undefined) return;
    const cause = new IngotError(
      'integrity',
      `the blob has ${this.#at > this.#sizeBytes ? 'more than' : `${this.#at} of`} the ${this.#sizeBytes} bytes it was said to have`,
      { operation: 'oci.push' },
    );
    this.failure = { cause };
    throw cause;
  }

  async #seek(start: number): Promise<void> {
    if (start < this.#at || this.#pieces === undefined) {
      await this.close();
      this.#pieces = this.#open()[Symbol.asyncIterator]();
      this.#rest = new Uint8Array(0);
      this.#digester = createOciDigester();
      this.#at = 0;
    }
    while (this.#at < start) if ((await this.#next(start - this.#at)) === undefined) return;
  }

  async #next(limit = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#pull();
      if (next === undefined || next.done === true) return undefined;
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(piece.byteLength);
    this.#at += piece.byteLength;
    this.#digester.update(piece);
    return piece;
  }

  async #pull(): Promise<IteratorResult<Uint8Array> | undefined> {
    try {
      return await this.#pieces?.next();
    } catch (cause) {
      this.failure = { cause };
      throw cause;
    }
  }
}
