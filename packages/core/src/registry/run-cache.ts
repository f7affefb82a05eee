import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../blob/bytes.ts';
import { isIngotError } from '../errors.ts';
import type { Fold } from './fold.ts';
import { numberedKey } from './log-files.ts';
import type { Run } from './run.ts';
import { encodeRun, endOf, parseRun } from './run.ts';

/** Events in a segment. */
export const SEGMENT_EVENTS = 256;

/** A head is written after every so many events. Must divide {@link SEGMENT_EVENTS}. */
export const HEAD_EVENTS = 8;

/** What says which runs are of use. */
type RunFold = Pick<Fold<unknown>, 'version' | 'readsOlder'>;

/** The last event before the segment that event `seq` belongs to: 0 for events 1 to 256, 256 for 257 to 512. */
export function segmentStart(seq: number): number {
  return Math.floor((seq - 1) / SEGMENT_EVENTS) * SEGMENT_EVENTS;
}

/** What a cache of runs works with. */
export interface RunCacheOptions {
  /** Is told of runs that are passed over. */
  readonly warn: (message: string) => void;
  /** Whether the process stays: then not each head is written, and it is looked once which there are. */
  readonly stays: boolean;
}

/**
 * Keeps runs of a log beside it: `segments/<seq>.json` hold 256 events each, `heads/<seq>.json` those since the last
 * segment. All of it is a cache: what is missing, damaged or by another release is passed over, and whoever reads
 * checks the rest against the log.
 */
export class RunCache {
  readonly #blobs: BlobStore;
  readonly #prefix: string;
  readonly #fold: RunFold;
  readonly #options: RunCacheOptions;
  /** Heads that are there, where the process stays and has asked. */
  #heads: readonly string[] | undefined;

  constructor(blobs: BlobStore, prefix: string, fold: RunFold, options: RunCacheOptions) {
    this.#blobs = blobs;
    this.#prefix = prefix;
    this.#fold = fold;
    this.#options = options;
  }

  /** Reads the longest chain of runs from the first event on. Two requests for a log of fewer than 256 events. */
  async load(options: BlobOptions): Promise<readonly Run[]> {
    const heads = await this.#list('heads', options);
    for (const key of heads.reverse()) {
      const head = await this.#read(key, options);
      if (head === undefined) continue;
      const segments = await this.#segmentsTo(head.from - 1, options);
      return chained([...segments, head]);
    }
    const segments = await this.#list('segments', options);
    return chained(await this.#readAll(segments, options));
  }

  /**
   * Writes a full run as a segment, a shorter one as a head; then the head before the last is of no more use. A head that
   * a power cut damages shows it by its sum, so it is not flushed.
   */
  async save(run: Run, options: BlobOptions): Promise<void> {
    const end = endOf(run);
    const isHead = run.events.length < SEGMENT_EVENTS;
    const key = this.#key(isHead ? 'heads' : 'segments', end);
    await this.#blobs.write(key, bodyOf(encodeRun(run)), isHead ? { ...options, expendable: true } : options);
    if (this.#options.stays) {
      if (isHead) await this.#dropHeadsBefore(key, options);
    } else if (end > 2 * HEAD_EVENTS) {
      await this.#blobs.delete(this.#key('heads', end - 2 * HEAD_EVENTS), options);
    }
  }

  async #dropHeadsBefore(key: string, options: BlobOptions): Promise<void> {
    const before = (this.#heads ?? (await this.#list('heads', options))).filter((each) => each < key);
    this.#heads = [...before.slice(-1), key];
    for (const old of before.slice(0, -1)) await this.#blobs.delete(old, options);
  }

  /** Reads the head that ends with event `seq`, if there is one. */
  head(seq: number, options: BlobOptions): Promise<Run | undefined> {
    return this.#read(this.#key('heads', seq), options);
  }

  async #segmentsTo(end: number, options: BlobOptions): Promise<Run[]> {
    const count = end / SEGMENT_EVENTS;
    const keys = Array.from({ length: count }, (_, index) => this.#key('segments', (index + 1) * SEGMENT_EVENTS));
    return this.#readAll(keys, options);
  }

  async #readAll(keys: readonly string[], options: BlobOptions): Promise<Run[]> {
    const runs = await Promise.all(keys.map((key) => this.#read(key, options)));
    return runs.filter((run) => run !== undefined);
  }

  async #read(key: string, options: BlobOptions): Promise<Run | undefined> {
    try {
      const bytes = await readIfPresent(this.#blobs, key, options);
      if (bytes === undefined) return undefined;
      const run = parseRun(bytes, key);
      if (this.#isReadable(run) && key.endsWith(numberedKey('', endOf(run)))) return run;
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      this.#options.warn(`${error.message}; it is only a cache, so the events are read instead`);
    }
    return undefined;
  }

  #isReadable({ fold, events }: Run): boolean {
    const { version, readsOlder } = this.#fold;
    return fold === version || (fold < version && readsOlder?.(fold, events) === true);
  }

  async #list(kind: 'heads' | 'segments', options: BlobOptions): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.#blobs.list(`${this.#prefix}/${kind}/`, options)) keys.push(key);
    return keys;
  }

  #key(kind: 'heads' | 'segments', seq: number): string {
    return numberedKey(`${this.#prefix}/${kind}`, seq);
  }
}

/** Keeps the runs from the first event on for as long as each follows from the one before. */
function chained(runs: readonly Run[]): readonly Run[] {
  const kept: Run[] = [];
  for (const run of runs) {
    const last = kept.at(-1);
    const follows = run.from === (last ? endOf(last) + 1 : 1) && run.previous === (last?.digest ?? null);
    if (!follows) break;
    kept.push(run);
  }
  return kept;
}
