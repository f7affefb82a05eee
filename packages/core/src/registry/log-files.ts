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
  /** `names`, or `models/<id>`. */
  readonly prefix: string;
  readonly #blobs: BlobStore;

  constructor(blobs: BlobStore, prefix: string) {
    this.prefix = prefix;
    this.#blobs = blobs;
  }

  /** Key of an event. */
  key(seq: number): string {
    return numberedKey(`${this.prefix}/log`, seq);
  }

  async has(seq: number, options: BlobOptions): Promise<boolean> {
    return (await this.#blobs.stat(this.key(seq), options)) !== undefined;
  }

  /** Reads an event, or gives undefined when there is none. Throws `tampered`. */
  async read(seq: number, options: BlobOptions): Promise<StoredEvent | undefined> {
    const bytes = await readIfPresent(this.#blobs, this.key(seq), options);
    return bytes && parseEvent(bytes, this.key(seq), seq);
  }

  /** Reads events `from` to `to`, leaving out those that are not there. */
  async readAll(from: number, to: number, options: BlobOptions): Promise<StoredEvent[]> {
    const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const events = await Promise.all(numbers.map((seq) => this.read(seq, options)));
    return events.filter((event) => event !== undefined);
  }
}
