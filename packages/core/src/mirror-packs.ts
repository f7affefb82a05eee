import type { BlobBody, BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import { decodePiece } from './content/coding.ts';
import { packKey } from './content/locator.ts';
import { type PackedEntry, readPackFooter, TRAILER_BYTES } from './content/pack.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { movedKey, parseMoved } from './content/sweep/moved.ts';
import { createDigester, digestOf } from './digest.ts';
import { IngotError, isIngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';

/** What copying packs needs to know. */
export interface PackCopyOptions extends BlobOptions {
  readonly source: BlobStore;
  readonly destination: BlobStore;
  /** Packs that the destination has. */
  readonly there: ReadonlySet<string>;
  /** Packs that were moved in the destination, gone or not. */
  readonly moved: ReadonlySet<string>;
  readonly onProgress?: OnProgress | undefined;
}

const STATS_AT_ONCE = 32;

/** What was copied. */
export interface CopiedPacks {
  readonly packs: number;
  readonly bytes: number;
}

/** Copies packs byte for byte, each once, every entry verified on the way. */
export class PackCopier {
  readonly #options: PackCopyOptions;
  readonly #copies = new Map<string, Promise<void>>();
  readonly #there: Set<string>;
  #packs = 0;
  #bytes = 0;

  constructor(options: PackCopyOptions) {
    this.#options = options;
    this.#there = new Set(options.there);
  }

  get copied(): CopiedPacks {
    return { packs: this.#packs, bytes: this.#bytes };
  }

  /** Whether the destination has a pack already. */
  has(pack: string): boolean {
    return this.#there.has(pack) || this.isMoved(pack);
  }

  /** Whether the destination says where the entries of a pack are now. */
  isMoved(pack: string): boolean {
    return this.#options.moved.has(pack);
  }

  /** Asks once more for packs that a collection may have taken since they were listed. One request each. */
  async lookAgain(packs: readonly string[]): Promise<void> {
    const { destination, signal } = this.#options;
    const listed = packs.filter((pack) => this.#there.has(pack) && !this.isMoved(pack) && !this.#copies.has(pack));
    await inParallel(listed, STATS_AT_ONCE, async (pack) => {
      if ((await destination.stat(packKey(pack), signal ? { signal } : {})) === undefined) this.#there.delete(pack);
    });
  }

  /**
   * Makes sure that the destination has a pack; one that was moved in the source comes as its moved file and the packs
   * that it names.
   * @throws IngotError `content-not-found` when the source has lost it, `integrity` when its bytes are damaged.
   */
  copy(pack: string): Promise<void> {
    const running = this.#copies.get(pack);
    if (running !== undefined) return running;
    const started = this.has(pack) ? Promise.resolve() : this.#copy(pack);
    this.#copies.set(pack, started);
    return started;
  }

  async #copy(pack: string): Promise<void> {
    const { source, destination, signal } = this.#options;
    const options = signal ? { signal } : {};
    let entries: readonly PackedEntry[];
    let sizeBytes: number | undefined;
    try {
      entries = await readPackFooter(source, pack, options);
      sizeBytes = (await source.stat(packKey(pack), options))?.sizeBytes;
    } catch (error) {
      if (isIngotError(error, 'content-not-found') && (await this.#follow(pack, options))) return;
      throw error;
    }
    if (sizeBytes === undefined) throw lost(pack, source);
    await destination.write(packKey(pack), this.#body(pack, sizeBytes, entries), options);
    this.#packs += 1;
    this.#bytes += sizeBytes;
  }

  /** The moved file of a pack that is gone, behind the packs it names. */
  async #follow(pack: string, options: BlobOptions): Promise<boolean> {
    const { source, destination } = this.#options;
    const bytes = await readIfPresent(source, movedKey(pack), options);
    if (bytes === undefined) return false;
    const targets = new Set(parseMoved(bytes, movedKey(pack)).ranges.map((range) => range.pack));
    for (const target of targets) await this.copy(target);
    await destination.write(movedKey(pack), bodyOf(bytes), options);
    return true;
  }

  #body(pack: string, sizeBytes: number, entries: readonly PackedEntry[]): BlobBody {
    const { source, onProgress, signal } = this.#options;
    const open = async function* (): AsyncGenerator<Uint8Array> {
      const verifier = new PackVerifier(pack, entries);
      let doneBytes = 0;
      for await (const bytes of source.read(packKey(pack), signal ? { signal } : {})) {
        verifier.take(bytes);
        doneBytes += bytes.byteLength;
        if (doneBytes === sizeBytes) verifier.finish();
        yield bytes;
        onProgress?.({ phase: 'store', path: `pack ${pack}`, doneBytes, totalBytes: sizeBytes });
      }
    };
    return { sizeBytes, open };
  }
}

/** Checks the bytes of a pack while they pass: each entry against its digest, the footer against the trailer. */
class PackVerifier {
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

  take(bytes: Uint8Array): void {
    let rest = bytes;
    for (let entry = this.#entries[this.#next]; entry !== undefined && rest.byteLength > 0; ) {
      const some = rest.subarray(0, this.#left);
      rest = rest.subarray(some.byteLength);
      this.#left -= some.byteLength;
      if (entry.coding === undefined) this.#digester.update(some);
      else this.#held.push(some);
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
    if (digest !== entry.digest) throw damaged(this.#pack, `its entry ${entry.digest} has other bytes`);
    this.#digester = createDigester();
    this.#held = [];
  }

  finish(): void {
    const tail = Buffer.concat(this.#tail);
    const footer = tail.subarray(0, Math.max(0, tail.byteLength - TRAILER_BYTES));
    const said = tail.subarray(footer.byteLength + 8, footer.byteLength + 40).toString('hex');
    if (this.#next < this.#entries.length || digestOf(footer) !== `sha256:${said}`)
      throw damaged(this.#pack, 'its footer has other bytes');
  }
}

function damaged(pack: string, why: string): IngotError {
  return new IngotError('integrity', `pack ${pack} is damaged: ${why}`, {
    hint: 'ingot check --read-data   (of the source; names the versions that it belongs to)',
    details: { pack },
  });
}

function lost(pack: string, { address }: BlobStore): IngotError {
  return new IngotError('content-not-found', `pack ${pack} is missing from ${address}`, { details: { pack } });
}
