import type { BlobStore } from '@ingot/core/blob/blob-store';
import { type IngotError, isIngotError } from '@ingot/core/errors';
import type { StoredEvent } from '@ingot/core/registry/events';
import { LogFiles } from '@ingot/core/registry/log-files';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { isPostgres } from '../database/prepared.ts';
import { isLasting, noteProblem } from './log-problems.ts';
import { INDEX_COLUMNS, withoutIndexes } from './migrations.ts';
import { checkChain, NAMES, projectIn } from './projector.ts';

/** How far a rebuild is. */
export interface RebuildProgress {
  readonly logs: number;
  /** Logs of all models, once the names are known. */
  readonly ofLogs: number;
  readonly events: number;
}

/** What a rebuild is given. */
export interface RebuildOptions {
  readonly index: Kysely<IndexTables>;
  readonly blobs: BlobStore;
  readonly now: () => Date;
  readonly signal?: AbortSignal;
  /** Is told now and then. Default: nobody is. */
  readonly onProgress?: (progress: RebuildProgress) => void;
}

/** What a rebuild came to. */
export interface RebuildReport {
  readonly models: number;
  readonly versions: number;
  readonly events: number;
  /** Logs that could not be followed, and why. */
  readonly problems: readonly { readonly log: string; readonly code: string; readonly message: string }[];
}

const EVENTS_AT_ONCE = 256;
const LOGS_AHEAD = 16;

/**
 * Empties the index and writes it anew from the logs, in one transaction: whoever reads meanwhile sees what was there,
 * and an interrupted rebuild changes nothing.
 * @throws IngotError `unavailable`, `interrupted`. A log that is wrong is reported; the others count.
 */
export async function rebuildIndex(options: RebuildOptions): Promise<RebuildReport> {
  return options.index.transaction().execute((transaction) => {
    const rebuild = new Rebuild(options, transaction);
    return isPostgres(transaction)
      ? takeTurn(transaction).then(() => rebuild.run())
      : withoutIndexes<IndexTables, RebuildReport>(transaction, () => rebuild.run());
  });
}

/** Servers that start together rebuild one after the other; a slow store does not end the transaction. */
async function takeTurn(transaction: Transaction<IndexTables>): Promise<void> {
  await sql`set local idle_in_transaction_session_timeout = 0`.execute(transaction);
  await sql`select pg_advisory_xact_lock(${REBUILD_LOCK})`.execute(transaction);
}

/** A number that no other use of the same database has. */
const REBUILD_LOCK = 4_735_220_112;

class Rebuild {
  readonly #options: RebuildOptions;
  readonly #transaction: Transaction<IndexTables>;
  readonly #problems: { log: string; code: string; message: string }[] = [];
  #progress: RebuildProgress = { logs: 0, ofLogs: 0, events: 0 };

  constructor(options: RebuildOptions, transaction: Transaction<IndexTables>) {
    this.#options = options;
    this.#transaction = transaction;
  }

  async run(): Promise<RebuildReport> {
    for (const table of INDEX_COLUMNS.keys()) await sql`delete from ${sql.table(table)}`.execute(this.#transaction);
    await this.#project(NAMES, await this.#sequenceOf(NAMES));
    const rows = await this.#transaction.selectFrom('models').select('id').orderBy('id').execute();
    this.#tell({ ofLogs: rows.length });
    // Small logs are listed ahead, so that a distant store is not asked one by one.
    for (let from = 0; from < rows.length; from += LOGS_AHEAD) {
      const ids = rows.slice(from, from + LOGS_AHEAD).map(({ id }) => id);
      const lengths = await Promise.all(ids.map((id) => this.#sequenceOf(id)));
      const starts = ids.map((id, index) => this.#read(id, 1, Math.min(lengths[index] ?? 0, EVENTS_AT_ONCE)));
      for (const start of starts) start.catch(() => {}); // Told where it is waited for.
      for (const [index, id] of ids.entries()) await this.#project(id, lengths[index] ?? 0, starts[index]);
    }
    return { ...(await this.#counts()), events: this.#progress.events, problems: this.#problems };
  }

  async #project(log: string, length: number, start?: Promise<readonly StoredEvent[]>): Promise<void> {
    try {
      let next = start ?? this.#read(log, 1, Math.min(length, EVENTS_AT_ONCE));
      for (let from = 1; from <= length; from += EVENTS_AT_ONCE) {
        const events = await next;
        next = this.#read(log, from + EVENTS_AT_ONCE, Math.min(length, from + 2 * EVENTS_AT_ONCE - 1));
        next.catch(() => {}); // Told where it is waited for.
        await this.#projectSome(log, events);
        this.#tell({ events: this.#progress.events + events.length });
      }
    } catch (error) {
      if (!isIngotError(error) || !isLasting(error)) throw error;
      await this.#note(log, error);
    }
    this.#tell({ logs: this.#progress.logs + 1 });
  }

  async #projectSome(log: string, events: readonly StoredEvent[]): Promise<void> {
    checkChain(log, events);
    try {
      await this.#atomically(log, events);
    } catch (error) {
      if (!isIngotError(error) || !isLasting(error) || events.length === 1) throw error;
      // What comes before the event that is wrong counts.
      for (const event of events) await this.#atomically(log, [event]);
    }
  }

  async #atomically(log: string, events: readonly StoredEvent[]): Promise<void> {
    await sql`savepoint ingot_batch`.execute(this.#transaction);
    try {
      await projectIn(this.#transaction, log, events);
    } catch (error) {
      await sql`rollback to savepoint ingot_batch`.execute(this.#transaction);
      throw error;
    } finally {
      await sql`release savepoint ingot_batch`.execute(this.#transaction);
    }
  }

  async #note(log: string, error: IngotError): Promise<void> {
    await noteProblem(this.#transaction, log, error, this.#options.now());
    this.#problems.push({ log, code: error.code, message: error.message });
  }

  async #read(log: string, from: number, to: number): Promise<readonly StoredEvent[]> {
    if (from > to) return [];
    const files = new LogFiles(this.#options.blobs, prefixOf(log));
    const { signal } = this.#options;
    return files.readAll(from, to, signal === undefined ? {} : { signal });
  }

  /** Number of the last event, as the store lists them. */
  async #sequenceOf(log: string): Promise<number> {
    const { blobs, signal } = this.#options;
    let last = 0;
    for await (const { key } of blobs.list(`${prefixOf(log)}/log/`, signal === undefined ? {} : { signal })) {
      const [, digits] = /\/(\d{10})\.json$/.exec(key) ?? [];
      last = Math.max(last, Number(digits ?? 0));
    }
    return last;
  }

  async #counts(): Promise<{ readonly models: number; readonly versions: number }> {
    const row = await this.#transaction
      .selectFrom('models')
      .select(({ fn }) => [fn.countAll<number>().as('models'), fn.sum<number | null>('versions').as('versions')])
      .where('closed', '=', 0)
      .executeTakeFirstOrThrow();
    return { models: Number(row.models), versions: Number(row.versions ?? 0) };
  }

  #tell(change: Partial<RebuildProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#options.onProgress?.(this.#progress);
  }
}

function prefixOf(log: string): string {
  return log === NAMES ? NAMES : `models/${log}`;
}
