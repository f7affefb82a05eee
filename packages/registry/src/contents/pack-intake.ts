import type { BlobStore } from '@ingot/core/blob/blob-store';
import type { EndingReader } from '@ingot/core/content/content-store';
import { packKey } from '@ingot/core/content/locator';
import { IngotError } from '@ingot/core/errors';
import { type BodyPace, DEFAULT_PACE } from './body-pace.ts';
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
  /** Opens it for reading, which fails when it has another length than was announced. */
  open(pace: BodyPace): EndingReader;
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
   * @throws IngotError `payload-too-large`, `interrupted`, `timeout` (too slow), `integrity` (an entry or the footer has other bytes than it should), `overloaded`, and as the store does.
   */
  async take({ pack, sizeBytes, open, signal }: OfferedPack): Promise<'created' | 'exists'> {
    const { blobs, spool, footers, pace = DEFAULT_PACE } = this.#options;
    if (sizeBytes > MAX_PACK_BYTES)
      throw new IngotError('payload-too-large', `a pack of ${sizeBytes} bytes is larger than ${MAX_PACK_BYTES}`);
    if ((await blobs.stat(packKey(pack), { signal })) !== undefined) return 'exists';
    await using held = spool.open();
    await gather(open(pace), held);
    const entries = await checkedPack(pack, held);
    const result = await blobs.write(packKey(pack), { sizeBytes, open: () => held.read() }, { signal });
    held.done();
    if (result === 'created') footers.put(pack, entries);
    return result;
  }
}

/** What is put into a file is read in pieces of this size. */
const PIECE_BYTES = 256 * 1024;

async function gather(body: EndingReader, held: HeldBytes): Promise<void> {
  let piece: Buffer | undefined;
  try {
    while (!body.ended) {
      const room = held.room();
      if (room !== undefined) held.wrote(await body.read(room));
      else {
        piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
        await held.add(piece.subarray(0, await body.read(piece)));
      }
    }
  } finally {
    await body.close();
  }
}
