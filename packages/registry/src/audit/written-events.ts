/**
 * Which events of the store's logs this server wrote, and for whom: what is not among them was written past it, by
 * somebody who only says who they are.
 */

import type { StoredEvent } from '@ingot/core/registry/events';
import type { Kysely } from 'kysely';
import type { AuditTables, WrittenEventRow } from './tables.ts';

/** What is kept with. */
export interface WrittenEventsOptions {
  readonly own: Kysely<AuditTables>;
  /** Whether whoever asks has to prove who they are. */
  readonly isAuthenticated: (actor: string) => boolean;
  readonly warn: (message: string) => void;
}

const ROWS_AT_ONCE = 200;
const RETRY_MS = 1000;

/** Keeps which events this server wrote; several are written together. Disposing it writes what is still waiting. */
export class WrittenEvents implements AsyncDisposable {
  readonly #options: WrittenEventsOptions;
  #waiting: WrittenEventRow[] = [];
  #writing: Promise<void> | undefined;

  constructor(options: WrittenEventsOptions) {
    this.#options = options;
  }

  /** Notes an event that was just written. Never throws. */
  note(log: string, { head, digest }: Pick<StoredEvent, 'head' | 'digest'>): void {
    const authenticated = this.#options.isAuthenticated(head.actor) ? 1 : 0;
    this.#waiting.push({ log, seq: head.seq, digest, authenticated });
  }

  /** Whether something was noted that is not on the disk yet. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Ends when all that was noted before is on the disk: an answer that acknowledges a change waits for it. */
  async settled(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  /** Whether this server, or another over the same database, wrote an event. */
  async has(log: string, seq: number, digest: string): Promise<boolean> {
    if (this.#waiting.some((row) => row.log === log && row.digest === digest)) return true;
    const row = await this.#options.own
      .selectFrom('audit_written')
      .select('digest')
      .where('log', '=', log)
      .where('seq', '=', seq)
      .executeTakeFirst();
    return row?.digest === digest;
  }

  /** Digests of the events of a log, from one number to another, whose actors had proved who they are. */
  async authenticated(log: string, from: number, to: number): Promise<ReadonlySet<string>> {
    const rows = await this.#options.own
      .selectFrom('audit_written')
      .select('digest')
      .where('log', '=', log)
      .where('seq', '>=', from)
      .where('seq', '<=', to)
      .where('authenticated', '=', 1)
      .execute();
    return new Set(rows.map(({ digest }) => digest));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled();
  }

  async #write(): Promise<void> {
    const rows = this.#waiting.slice(0, ROWS_AT_ONCE);
    try {
      await this.#options.own
        .insertInto('audit_written')
        .values(rows)
        .onConflict((conflict) => conflict.columns(['log', 'seq']).doNothing())
        .execute();
      this.#waiting.splice(0, rows.length);
    } catch (error) {
      this.#options.warn(`what was written cannot be noted yet: ${String(error)}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      throw error;
    }
  }
}
