import type { BlobStore } from '@ingot/core/blob/blob-store';
import { packKey } from '@ingot/core/content/locator';
import { IngotError } from '@ingot/core/errors';
import { type BodyPace, DEFAULT_PACE, inPace } from './body-pace.ts';
import { checkedPack } from './checked-pack.ts';
import type { FooterShelf } from './footer-shelf.ts';
import type { HeldBytes, PackSpool } from './pack-spool.ts';

/** Largest pack that is taken: clients close them at a few MiB. */
export const MAX_PACK_BYTES = 64 * 1024 * 1024;

/** What taking packs works with. */
export interface PackIntakeOptions {
  readonly blobs: BlobStore;
  readonly spool: PackSpool;
  readonly footers: FooterShelf;
  /** Default: {@link DEFAULT_PACE}. */
  readonly pace?: BodyPace;
}

/** A pack that a client sends. */
export interface OfferedPack {
  readonly pack: string;
  /** As it was announced. */
  readonly sizeBytes: number;
  readonly body: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/**
 * Takes packs from clients: each is held until all of its entries were checked against their digests, then it is
 * written whole. So nothing that is not what it says is ever visible. Room is taken for what has arrived, not for what
 * was announced, and a client that stalls is given up; so slow ones keep nobody waiting.
 */
export class PackIntake {
  readonly #options: PackIntakeOptions;

  constructor(options: PackIntakeOptions) {
    this.#options = options;
  }

  /**
   * Takes one pack.
   * @throws IngotError `payload-too-large`, `invalid-request` (another length than was said), `timeout` (too slow),
   * `integrity` (an entry or the footer has other bytes than it should), `overloaded`, and as the store does.
   */
  async take({ pack, sizeBytes, body, signal }: OfferedPack): Promise<'created' | 'exists'> {
    const { blobs, spool, footers, pace = DEFAULT_PACE } = this.#options;
    if (sizeBytes > MAX_PACK_BYTES)
      throw new IngotError('payload-too-large', `a pack of ${sizeBytes} bytes is larger than ${MAX_PACK_BYTES}`);
    if ((await blobs.stat(packKey(pack), { signal })) !== undefined) return 'exists';
    await using held = spool.open();
    await gather(inPace(body, pace), held, sizeBytes);
    const entries = await checkedPack(pack, held);
    const result = await blobs.write(packKey(pack), { sizeBytes, open: () => held.read() }, { signal });
    held.done();
    if (result === 'created') footers.put(pack, entries);
    return result;
  }
}

async function gather(body: AsyncIterable<Uint8Array>, held: HeldBytes, sizeBytes: number): Promise<void> {
  for await (const piece of body) {
    if (held.sizeBytes + piece.byteLength > sizeBytes) throw otherLength(sizeBytes, held.sizeBytes + piece.byteLength);
    await held.add(piece);
  }
  if (held.sizeBytes < sizeBytes) throw otherLength(sizeBytes, held.sizeBytes);
}

function otherLength(said: number, given: number): IngotError {
  return new IngotError('invalid-request', `the body has ${given} bytes, and ${said} were announced`);
}
