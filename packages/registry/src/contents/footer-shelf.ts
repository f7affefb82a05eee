import type { BlobOptions, BlobStore } from '@ingot/core/blob/blob-store';
import { type PackedEntry, readPackFooter } from '@ingot/core/content/pack';

const KEPT_BYTES = 32 * 1024 * 1024;
/** What an entry takes, about. */
const ENTRY_BYTES = 250;

/** Remembers what lies in the packs that were looked at last, and looks it up of others. */
export class FooterShelf {
  readonly #blobs: BlobStore;
  readonly #known = new Map<string, readonly PackedEntry[]>();
  #bytes = 0;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** Notes the entries of a pack whose bytes were checked. */
  put(pack: string, entries: readonly PackedEntry[]): void {
    if (this.#known.has(pack)) return;
    this.#known.set(pack, entries);
    this.#bytes += entries.length * ENTRY_BYTES;
    for (const [oldest, listed] of this.#known) {
      if (this.#bytes <= KEPT_BYTES) return;
      this.#known.delete(oldest);
      this.#bytes -= listed.length * ENTRY_BYTES;
    }
  }

  /** The entries of a pack. Throws `content-not-found`, `integrity`. */
  async entriesOf(pack: string, options: BlobOptions): Promise<readonly PackedEntry[]> {
    const known = this.#known.get(pack);
    if (known !== undefined) return known;
    const entries = await readPackFooter(this.#blobs, pack, options);
    this.put(pack, entries);
    return entries;
  }
}
