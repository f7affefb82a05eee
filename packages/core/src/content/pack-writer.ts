import type { BlobBody, BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { collect } from '../blob/bytes.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { Locator } from './content-store.ts';
import { packKey } from './locator.ts';
import { type Coded, type PackedEntry, sealFooter, TRAILER_BYTES } from './pack.ts';
import type { Block } from './pipeline-blocks.ts';
import type { Span } from './pipeline-engine.ts';

/** What a pack writer needs. */
export interface PackWriterContext {
  readonly blobs: BlobStore;
  /** A pack is closed before the pieces in it grow past this. */
  readonly packBytes: number;
  /** How many packs may be under way to the store at a time. */
  readonly writesAtOnce: number;
  /** How many blocks an open pack may hold; what is in others is copied. */
  readonly blocksHeld: number;
  readonly nextPack: () => string;
  /** Called when a pack stands in the store. */
  readonly onPack: (pack: string, sizeBytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Bytes of a pack: a range of a block that is held, or bytes of its own. */
interface Part extends Partial<Span> {
  readonly bytes: Uint8Array;
}

interface OpenPack {
  readonly id: string;
  readonly entries: PackedEntry[];
  readonly parts: Part[];
  /** Blocks that are held until it is written. */
  readonly blocks: Set<Block>;
  bytes: number;
}

/** Pages lie together by about this much, so that who reads them asks a few times only, and a crash loses little. */
const LATE_BYTES = 512 * 1024;

interface Late {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly onPlaced: (place: Locator) => void;
}

/** Fills packs with pieces and writes them, several at a time. */
export class PackWriter {
  readonly #context: PackWriterContext;
  readonly #writing = new Set<Promise<void>>();
  #open: OpenPack | undefined;
  readonly #late: Late[] = [];
  #lateBytes = 0;
  #failure: unknown;

  constructor(context: PackWriterContext) {
    this.#context = context;
  }

  /** Makes room for a piece of this length. Waits, when it gives a promise, because too many packs are under way. */
  room(length: number): Promise<void> | undefined {
    return this.#open !== undefined && this.#open.bytes + length > this.#context.packBytes ? this.close() : undefined;
  }

  /**
   * Adds a piece and says where it will lie; {@link room} comes first.
   * @param keep whether its blocks may be held until the pack is written; else its bytes are copied.
   */
  add(digest: Digest, spans: readonly Span[], keep: boolean): Locator {
    const pack = this.#current();
    let length = 0;
    for (const span of spans) {
      this.#addSpan(pack, span, keep);
      length += span.to - span.from;
    }
    return this.#list(pack, { digest, offset: pack.bytes, length });
  }

  /** Adds bytes that are its own, coded or not, to the open pack, however full it is. */
  addBytes(digest: Digest, { bytes, coding, size }: Coded & { readonly bytes: Uint8Array }): Locator {
    const pack = this.#current();
    pack.parts.push({ bytes });
    const place = { digest, offset: pack.bytes, length: bytes.byteLength };
    return this.#list(pack, coding === undefined || size === undefined ? place : { ...place, coding, size });
  }

  /**
   * Adds a page, behind all pieces of a pack, so that pieces that follow each other in a content do so in the pack; and
   * beside other pages.
   * @param onPlaced learns where it lies when a pack is closed, or with {@link placeLate}.
   */
  addLate(digest: Digest, bytes: Uint8Array, onPlaced: (place: Locator) => void): void {
    this.#late.push({ digest, bytes, onPlaced });
    this.#lateBytes += bytes.byteLength;
  }

  /** Gives the pages that were added their place now. */
  placeLate(): void {
    this.#lateBytes = 0;
    for (const { digest, bytes, onPlaced } of this.#late.splice(0)) onPlaced(this.addBytes(digest, { bytes }));
  }

  /** Closes the open pack and begins to write it. */
  async close(): Promise<void> {
    const pack = this.#open;
    if (pack === undefined) return;
    if (this.#lateBytes >= LATE_BYTES) this.placeLate();
    this.#open = undefined;
    while (this.#writing.size >= this.#context.writesAtOnce) await Promise.race(this.#writing);
    this.#check();
    const writing: Promise<void> = this.#write(pack)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#writing.delete(writing);
        for (const block of pack.blocks) block.release();
      });
    this.#writing.add(writing);
  }

  /** Closes the last pack and waits until all stand. */
  async finish(): Promise<void> {
    this.placeLate();
    await this.close();
    await this.settle();
    this.#check();
  }

  /** Waits until nothing is under way any more, whether it worked or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing);
  }

  /** The pack that is open, or would be next: whatever is added now lies in it or in a later one. */
  currentPack(): string {
    return this.#current().id;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #current(): OpenPack {
    this.#open ??= { id: this.#context.nextPack(), entries: [], parts: [], blocks: new Set(), bytes: 0 };
    return this.#open;
  }

  #list(pack: OpenPack, entry: PackedEntry): Locator {
    pack.entries.push(entry);
    pack.bytes += entry.length;
    return { pack: pack.id, offset: entry.offset, length: entry.length };
  }

  #addSpan(pack: OpenPack, { block, from, to }: Span, keep: boolean): void {
    if (!pack.blocks.has(block) && (!keep || pack.blocks.size === this.#context.blocksHeld))
      return void pack.parts.push({ bytes: Buffer.from(block.bytes.subarray(from, to)) });
    if (!pack.blocks.has(block)) block.hold();
    pack.blocks.add(block);
    const last = pack.parts.at(-1);
    // Neighbours in a block become one part, so that a pack of new bytes is written in pieces of whole blocks.
    const start = last?.block === block && last.to === from ? last.from : from;
    if (start !== from) pack.parts.pop();
    pack.parts.push({ bytes: block.bytes.subarray(start, to), block, from: start, to });
  }

  async #write({ id, entries, parts, bytes }: OpenPack): Promise<void> {
    const { blobs, onPack, signal } = this.#context;
    const footer = sealFooter(entries);
    const body: BlobBody = {
      sizeBytes: bytes + footer.byteLength,
      open: async function* () {
        for (const part of parts) yield part.bytes;
        yield footer;
      },
    };
    const options = signal === undefined ? {} : { signal };
    const result = await blobs.write(packKey(id), body, options);
    if (result === 'exists') await this.#checkOwn(id, body.sizeBytes, footer, options);
    onPack(id, body.sizeBytes);
  }

  /** The reply to a write can be lost; then a repeated one is told that the pack exists, and it is our own. */
  async #checkOwn(id: string, sizeBytes: number, footer: Uint8Array, options: BlobOptions): Promise<void> {
    const { blobs } = this.#context;
    const key = packKey(id);
    const stat = await blobs.stat(key, options);
    if (stat?.sizeBytes === sizeBytes) {
      const trailer = await collect(blobs.read(key, { ...options, range: { start: sizeBytes - TRAILER_BYTES } }));
      if (trailer.equals(footer.subarray(footer.byteLength - TRAILER_BYTES))) return;
    }
    throw new IngotError('conflict', `pack ${id} is there already: another upload has this one's id`);
  }
}
