import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf } from '../blob/bytes.ts';
import { isIngotError } from '../errors.ts';

/** Says that a log has grown: which one (`names` or a model's id), and up to which event. */
export interface Hint {
  readonly log: string;
  readonly seq: number;
}

const KEY = /^changes\/\d{12}\/([a-z0-9-]{1,80})\.(\d{10})$/;

/** Where hints of a minute lie: `changes/202611212135/`. */
export function hintPrefix(at: Date): string {
  return `changes/${at.toISOString().slice(0, 16).replace(/[-T:]/g, '')}/`;
}

/** Reads the key of a hint: all it says is in there. Undefined for anything else under `changes/`. */
export function parseHint(key: string): Hint | undefined {
  const [, log, seq] = KEY.exec(key) ?? [];
  return log === undefined ? undefined : { log, seq: Number(seq) };
}

/**
 * Leaves hints of events that were written, for servers that watch the store. The first of a log gets a small blob of its
 * own, those that follow within `sharedMs` share the next one: a hint says how far a log is. Nobody waits for them and they may be
 * missing: whoever needs all events reads the logs.
 */
export class HintWriter {
  readonly #blobs: BlobStore;
  readonly #now: () => Date;
  readonly #sharedMs: number;
  readonly #running = new Set<Promise<void>>();
  /** Logs that had a hint just now, and the newest event without one. */
  readonly #recent = new Map<string, { seq: number | undefined; readonly timer: NodeJS.Timeout }>();

  /** @param sharedMs default 0: each event has a hint. */
  constructor(blobs: BlobStore, now: () => Date, sharedMs = 0) {
    this.#sharedMs = sharedMs;
    this.#blobs = blobs;
    this.#now = now;
  }

  /** @param prefix the log's place: `names`, `models/<id>`. */
  leave(prefix: string, seq: number): void {
    const log = prefix.replace(/^models\//, '');
    const recent = this.#recent.get(log);
    if (recent !== undefined) recent.seq = seq;
    else this.#begin(log, seq);
  }

  #begin(log: string, seq: number): void {
    const key = `${hintPrefix(this.#now())}${log}.${String(seq).padStart(10, '0')}`;
    const writing = this.#write(key).finally(() => this.#running.delete(writing));
    this.#running.add(writing);
    if (this.#sharedMs === 0) return;
    const timer = setTimeout(() => this.#end(log), this.#sharedMs);
    timer.unref();
    this.#recent.set(log, { seq: undefined, timer });
  }

  #end(log: string): void {
    const recent = this.#recent.get(log);
    if (recent === undefined) return;
    clearTimeout(recent.timer);
    this.#recent.delete(log);
    if (recent.seq !== undefined) this.#begin(log, recent.seq);
  }

  /** Waits for the hints on their way, a second at most. */
  async settled(): Promise<void> {
    for (const log of [...this.#recent.keys()]) this.#end(log);
    if (this.#running.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, 1000);
    });
    await Promise.race([Promise.all(this.#running), late]);
    clearTimeout(timer);
  }

  async #write(key: string): Promise<void> {
    try {
      await this.#blobs.write(key, bodyOf('{}\n'), { expendable: true, thoughtFree: true });
    } catch (error) {
      // Best effort: who may not write here, or cannot now, is found by those who read the logs.
      if (!isIngotError(error)) throw error;
    }
  }
}
