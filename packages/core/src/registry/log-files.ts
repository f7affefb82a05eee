import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { readIfPresent } from '../blob/bytes.ts';
import type { StoredEvent } from './events.ts';
import { parseEvent } from './events.ts';

/** Names the blob of an event, a head or a segment: its number in ten digits. */
export function numberedKey(prefix: string, seq: number): string {
  return `${prefix}/${String(seq).padStart(10, '0')}.json`;
}

/** Reads the events of one log. */
export class LogFiles {
  readonly #blobs: BlobStore;
  readonly #prefix: string;

  constructor(blobs: BlobStore, prefix: string) {
    this.#blobs = blobs;
    this.#prefix = `${prefix}/log`;
  }

  /** Key of an event. */
  key(seq: number): string {
    return numberedKey(this.#prefix, seq);
  }

  async has(seq: number, options: BlobOptions): Promise<boolean> {
    return (await this.#blobs.stat(this.key(seq), options)) !== undefined;
  }

  /** Reads an event, or gives undefined when there is none. Throws `tampered`. */
  async read(seq: number, options: BlobOptions): Promise<StoredEvent | undefined> {
    const bytes = await readIfPresent(this.#blobs, this.key(seq), options);
    return bytes && parseEvent(bytes, this.key(seq), seq);
  }
}
