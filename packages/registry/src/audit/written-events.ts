/**
 * Which events of the store's logs this server wrote, and for whom: what is not among them was written past it, by
 * somebody who only says who they are. An event is noted *before* it stands, by its digest: so there is none that this
 * server wrote and does not know, whenever it dies; and a note without its event vouches for nothing else.
 */

import { IngotError } from '@ingot/core/errors';
import type { StoredEvent } from '@ingot/core/registry/events';
import type { Kysely } from 'kysely';
import { prepared } from '../database/prepared.ts';
import type { AuditTables, WrittenEventRow } from './tables.ts';

/** What is kept with. */
export interface WrittenEventsOptions {
  readonly own: Kysely<AuditTables>;
  /** Whether whoever asks has to prove who they are. */
  readonly isAuthenticated: (actor: string) => boolean;
}

const noteOne = prepared(
  'insert into audit_written (log, seq, digest, authenticated) values (?, ?, ?, ?) on conflict (log, seq, digest) do nothing',
);

interface Batch {
  readonly rows: WrittenEventRow[];
  /** Ends when they are on the disk. */
  readonly written: Promise<void>;
}

/** Keeps which events this server wrote; notes that come together are written together. */
export class WrittenEvents {
  readonly #options: WrittenEventsOptions;
  #next: Batch | undefined;
  #before: Promise<void> = Promise.resolve();

  constructor(options: WrittenEventsOptions) {
    this.#options = options;
  }

  /**
   * Notes an event that is about to be written. Ends when that is on the disk.
   * @throws IngotError `unavailable` when it cannot be noted: then the event must not be written.
   */
  note(log: string, { head, digest }: Pick<StoredEvent, 'head' | 'digest'>): Promise<void> {
    const authenticated = this.#options.isAuthenticated(head.actor) ? 1 : 0;
    this.#next ??= this.#begin();
    this.#next.rows.push({ log, seq: head.seq, digest, authenticated });
    return this.#next.written;
  }

  /** Whether this server, or another over the same database, wrote an event. */
  async has(log: string, seq: number, digest: string): Promise<boolean> {
    const row = await this.#options.own
      .selectFrom('audit_written')
      .select('digest')
      .where('log', '=', log)
      .where('seq', '=', seq)
      .where('digest', '=', digest)
      .executeTakeFirst();
    return row !== undefined;
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

  /** What comes while the rows before are written goes together. */
  #begin(): Batch {
    const rows: WrittenEventRow[] = [];
    const written = this.#before.then(() => {
      this.#next = undefined;
      return this.#write(rows);
    });
    this.#before = written.catch(() => {}); // Told to those whose rows they are.
    return { rows, written };
  }

  async #write(rows: readonly WrittenEventRow[]): Promise<void> {
    try {
      const [row] = rows;
      if (rows.length === 1 && row !== undefined) {
        await noteOne(this.#options.own, [row.log, row.seq, row.digest, row.authenticated]);
        return;
      }
      await this.#options.own
        .insertInto('audit_written')
        .values(rows)
        .onConflict((conflict) => conflict.columns(['log', 'seq', 'digest']).doNothing())
        .execute();
    } catch (cause) {
      throw new IngotError('unavailable', 'it cannot be noted who writes this, so it is not written', {
        retryable: true,
        cause,
      });
    }
  }
}
