import type { BlobStore } from '@ingot/core/blob/blob-store';
import { packKey } from '@ingot/core/content/locator';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { verifyPack } from '@ingot/core/mirror-pack-verifier';

/** Largest pack that is taken: clients close them at a few MiB. */
export const MAX_PACK_BYTES = 64 * 1024 * 1024;

/** Packs that are in memory at once, all clients together. */
const MEMORY_BYTES = 128 * 1024 * 1024;

/**
 * Takes packs from clients: each is in memory until all of its entries were checked against their digests, then it is
 * written whole. So nothing that is not what it says is ever visible. Clients wait when there is no room.
 */
export class PackIntake {
  readonly #blobs: BlobStore;
  readonly #waiting: (() => void)[] = [];
  #used = 0;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * Takes one pack.
   * @throws IngotError `payload-too-large`, `invalid-request` (another length than was said), `integrity` (an entry or
   * the footer has other bytes than it should), and as the store does.
   */
  async take(
    pack: string,
    sizeBytes: number,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<'created' | 'exists'> {
    if (sizeBytes > MAX_PACK_BYTES)
      throw new IngotError('payload-too-large', `a pack of ${sizeBytes} bytes is larger than ${MAX_PACK_BYTES}`);
    if ((await this.#blobs.stat(packKey(pack), { signal })) !== undefined) return 'exists';
    await this.#reserve(sizeBytes);
    try {
      const bytes = await gathered(body, sizeBytes);
      checked(pack, bytes);
      const whole = { sizeBytes, open: () => once(bytes) };
      return await this.#blobs.write(packKey(pack), whole, { signal });
    } finally {
      this.#free(sizeBytes);
    }
  }

  async #reserve(sizeBytes: number): Promise<void> {
    while (this.#used > 0 && this.#used + sizeBytes > MEMORY_BYTES)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#used += sizeBytes;
  }

  #free(sizeBytes: number): void {
    this.#used -= sizeBytes;
    for (const go of this.#waiting.splice(0)) go();
  }
}

async function gathered(body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let at = 0;
  for await (const piece of body) {
    if (at + piece.byteLength > sizeBytes) throw otherLength(sizeBytes, at + piece.byteLength);
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  if (at < sizeBytes) throw otherLength(sizeBytes, at);
  return bytes;
}

function otherLength(said: number, given: number): IngotError {
  return new IngotError('invalid-request', `the body has ${given} bytes, and ${said} were announced`);
}

function checked(pack: string, bytes: Buffer): void {
  try {
    verifyPack(pack, bytes);
  } catch (error) {
    if (isIngotError(error, 'integrity') || error instanceof RangeError)
      throw new IngotError('integrity', `pack ${pack} did not arrive as it says it is`, {
        hint: 'push again',
        details: { pack },
        cause: error,
      });
    throw error;
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
