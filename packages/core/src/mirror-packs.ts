import type { BlobBody, BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import { packKey } from './content/locator.ts';
import { readPackFooter } from './content/pack.ts';
import { movedKey, parseMoved } from './content/sweep/moved.ts';
import { surveyPacks } from './content/sweep/survey.ts';
import { IngotError, isIngotError } from './errors.ts';
import { damagedPack, PackVerifier, verifyPack } from './mirror-pack-verifier.ts';
import type { OnProgress } from './progress.ts';

/** What copying packs needs to know. */
export interface PackCopyOptions extends BlobOptions {
  readonly source: BlobStore;
  readonly destination: BlobStore;
  /** Sees to it that no collection in the destination takes these packs, and throws when one is about to. */
  readonly keep: (packs: readonly string[]) => Promise<void>;
  readonly onProgress?: OnProgress | undefined;
}

/** What was copied, or is to be. */
export interface PackSum {
  readonly packs: number;
  readonly bytes: number;
}

/** Packs up to this size are read whole, in one request, and checked before the first byte is written. */
const HELD_BYTES = 20 * 1024 * 1024;

/** Most packs have 8 MiB and a little. */
const ROUNDED_BYTES = 9 * 1024 * 1024;

/** So many are on their way at once, of all models together: with 8 MiB each that bounds the memory. */
const HANDS = 4;

/** From so many packs on, sizes come from a listing, which takes a request for a thousand of them. */
const SURVEY_FROM = 16;

/** Copies packs byte for byte, each once, every entry verified on the way. */
export class PackCopier {
  readonly #options: PackCopyOptions;
  readonly #call: BlobOptions;
  readonly #copies = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  /** Memory that is used again: what is left to the collector piles up faster than it comes. */
  readonly #spare: Buffer[] = [];
  readonly #sizes = new Map<string, number>();
  #there: ReadonlySet<string> = new Set();
  #hands = HANDS;
  #packs = 0;
  #bytes = 0;

  constructor(options: PackCopyOptions) {
    this.#options = options;
    this.#call = options.signal ? { signal: options.signal } : {};
  }

  get copied(): PackSum {
    return { packs: this.#packs, bytes: this.#bytes };
  }

  /** Lists what the destination has; to be called after it was seen to that what is needed stays there. */
  async survey(): Promise<void> {
    const { destination } = this.#options;
    this.#there = new Set((await surveyPacks(destination, this.#call)).packs.keys());
  }

  /** Says what is missing in the destination of some packs, and announces it to whoever watches. */
  async missing(packs: Iterable<string>): Promise<PackSum> {
    const missing = [...packs].filter((pack) => !this.#there.has(pack));
    if (missing.length >= SURVEY_FROM)
      for (const [pack, { sizeBytes }] of (await surveyPacks(this.#options.source, this.#call)).packs)
        this.#sizes.set(pack, sizeBytes);
    const found = new Map<string, number>();
    for (const pack of missing) await this.#find(pack, found);
    for (const [pack, sizeBytes] of found) this.#tell(pack, 0, sizeBytes);
    return { packs: found.size, bytes: [...found.values()].reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** Adds a pack to those that are missing, with its size; of one that was moved, those that hold its entries now. */
  async #find(pack: string, found: Map<string, number>, way: readonly string[] = []): Promise<void> {
    if (found.has(pack) || this.#there.has(pack)) return;
    if (way.includes(pack)) throw damagedPack(pack, 'it was moved in a circle');
    const sizeBytes = await this.#sizeOf(pack);
    if (sizeBytes !== undefined) {
      found.set(pack, sizeBytes);
      return;
    }
    const moved = await this.#movedTo(pack);
    for (const target of moved?.targets ?? []) await this.#find(target, found, [...way, pack]);
  }

  async #sizeOf(pack: string): Promise<number | undefined> {
    const known = this.#sizes.get(pack) ?? (await this.#options.source.stat(packKey(pack), this.#call))?.sizeBytes;
    if (known !== undefined) this.#sizes.set(pack, known);
    return known;
  }

  async #movedTo(pack: string): Promise<{ readonly bytes: Buffer; readonly targets: readonly string[] } | undefined> {
    const bytes = await readIfPresent(this.#options.source, movedKey(pack), this.#call);
    if (bytes === undefined) return undefined;
    const { ranges } = parseMoved(bytes, movedKey(pack));
    return { bytes, targets: [...new Set(ranges.map((range) => range.pack))] };
  }

  /**
   * Makes sure that the destination has a pack; one that was moved in the source comes as its moved file and the packs
   * that it names.
   * @throws IngotError `content-not-found` when the source has lost it, `integrity` when its bytes are damaged.
   */
  copy(pack: string): Promise<void> {
    const running = this.#copies.get(pack);
    if (running !== undefined) return running;
    return this.#there.has(pack) ? Promise.resolve() : this.#bringOnce(pack);
  }

  #bringOnce(pack: string): Promise<void> {
    const started = this.#bring(pack);
    this.#copies.set(pack, started);
    // Who waits for it hears of a failure; the next one who needs the pack tries again.
    started.catch(() => this.#copies.delete(pack));
    return started;
  }

  async #bring(pack: string): Promise<void> {
    try {
      await this.#inTurn(() => this.#copyBytes(pack));
    } catch (error) {
      if (isIngotError(error, 'content-not-found') && (await this.#follow(pack))) return;
      throw error;
    }
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#hands > 0) this.#hands -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#hands += 1;
      else next();
    }
  }

  async #copyBytes(pack: string): Promise<void> {
    const { source, destination } = this.#options;
    const sizeBytes = await this.#sizeOf(pack);
    if (sizeBytes === undefined) throw lost(pack, source);
    const written =
      sizeBytes <= HELD_BYTES
        ? await this.#writeHeld(pack, sizeBytes)
        : await destination.write(packKey(pack), await this.#streamed(pack, sizeBytes), this.#call);
    this.#tell(pack, sizeBytes, sizeBytes);
    // Another mirroring was faster.
    if (written === 'exists') return;
    this.#packs += 1;
    this.#bytes += sizeBytes;
  }

  async #writeHeld(pack: string, sizeBytes: number): Promise<'created' | 'exists'> {
    const memory = this.#memory(sizeBytes);
    const bytes = await this.#read(pack, memory.subarray(0, sizeBytes));
    const written = await this.#options.destination.write(packKey(pack), bodyOf(bytes), this.#call);
    // After a failure something may still be sending it.
    this.#spare.push(memory);
    return written;
  }

  #memory(sizeBytes: number): Buffer {
    const fitting = this.#spare.findIndex(({ byteLength }) => byteLength >= sizeBytes);
    const [spare] = this.#spare.splice(Math.max(0, fitting), 1);
    if (fitting >= 0 && spare !== undefined) return spare;
    return Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / ROUNDED_BYTES) * ROUNDED_BYTES);
  }

  async #read(pack: string, bytes: Buffer): Promise<Buffer> {
    const sizeBytes = bytes.byteLength;
    let filled = 0;
    for await (const piece of this.#options.source.read(packKey(pack), this.#call)) {
      if (filled + piece.byteLength > sizeBytes) throw damagedPack(pack, 'it is longer than it was');
      bytes.set(piece, filled);
      filled += piece.byteLength;
      this.#tell(pack, Math.min(filled, sizeBytes - 1), sizeBytes);
    }
    if (filled !== sizeBytes) throw damagedPack(pack, 'it is shorter than it was');
    verifyPack(pack, bytes);
    return bytes;
  }

  async #streamed(pack: string, sizeBytes: number): Promise<BlobBody> {
    const { source } = this.#options;
    const entries = await readPackFooter(source, pack, this.#call);
    const tell = (doneBytes: number): void => this.#tell(pack, doneBytes, sizeBytes);
    const read = () => source.read(packKey(pack), this.#call);
    const open = async function* (): AsyncGenerator<Uint8Array> {
      const verifier = new PackVerifier(pack, entries);
      let doneBytes = 0;
      for await (const bytes of read()) {
        verifier.take(bytes);
        doneBytes += bytes.byteLength;
        if (doneBytes === sizeBytes) verifier.finish();
        yield bytes;
        tell(Math.min(doneBytes, sizeBytes - 1));
      }
    };
    return { sizeBytes, open };
  }

  /** The moved file of a pack that is gone, behind the packs it names. */
  async #follow(pack: string): Promise<boolean> {
    const moved = await this.#movedTo(pack);
    if (moved === undefined) return false;
    const unseen = moved.targets.filter((target) => !this.#copies.has(target));
    if (unseen.length > 0) await this.#options.keep(unseen);
    for (const target of moved.targets) {
      // What was listed before it was kept may be gone.
      if (this.#there.has(target) && !(await this.#isGone(target))) continue;
      await (this.#copies.get(target) ?? this.#bringOnce(target));
    }
    await this.#options.destination.write(movedKey(pack), bodyOf(moved.bytes), this.#call);
    return true;
  }

  async #isGone(pack: string): Promise<boolean> {
    return (await this.#options.destination.stat(packKey(pack), this.#call)) === undefined;
  }

  #tell(pack: string, doneBytes: number, totalBytes: number): void {
    this.#options.onProgress?.({ phase: 'copy', path: `pack ${pack}`, doneBytes, totalBytes });
  }
}

function lost(pack: string, { address }: BlobStore): IngotError {
  return new IngotError('content-not-found', `pack ${pack} is missing from ${address}`, { details: { pack } });
}
