/**
 * SQLite for Kysely, where many write at once and each answer is durable: a transaction is committed as it ends, into the
 * log of the file; whoever wrote it is answered when that log has been flushed, and the next transaction does not wait
 * for it. So one flush serves many, and none of them holds up the event loop.
 */

import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { DurableCommits } from './durable-commits.ts';
import type { SqliteEngine } from './sqlite-engine.ts';

/** An open file, and who tells when it has been flushed. */
export interface DurableSqlite {
  readonly engine: SqliteEngine;
  readonly commits: DurableCommits;
  /** Ends what `commits` works with, after the file was closed. */
  close(): Promise<void>;
}

/**
 * Makes a dialect of a file in WAL mode whose engine does not flush by itself as transactions end
 * (`synchronous = normal`). Whoever reads may see a moment before its writer is answered what has been committed.
 */
export function durableSqliteDialect(file: DurableSqlite): Dialect {
  return {
    createDriver: () => new DurableDriver(file),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (database) => new SqliteIntrospector(database),
  };
}

class DurableDriver implements Driver {
  readonly #file: DurableSqlite;
  readonly #plain: SqliteDriver;
  readonly #turns = new Turns();
  #connection: Promise<DatabaseConnection> | undefined;

  constructor(file: DurableSqlite) {
    this.#file = file;
    this.#plain = new SqliteDriver({ database: file.engine });
  }

  init(): Promise<void> {
    return this.#plain.init();
  }

  async acquireConnection(): Promise<DurableConnection> {
    this.#connection ??= this.#plain.acquireConnection();
    const connection = new DurableConnection(await this.#connection, this.#file.commits, this.#turns);
    await connection.take();
    return connection;
  }

  beginTransaction(connection: DurableConnection): Promise<void> {
    return connection.begin();
  }

  commitTransaction(connection: DurableConnection): Promise<void> {
    return connection.commit();
  }

  rollbackTransaction(connection: DurableConnection): Promise<void> {
    return connection.rollback();
  }

  async releaseConnection(connection: DurableConnection): Promise<void> {
    connection.leave();
  }

  async destroy(): Promise<void> {
    await this.#plain.destroy();
    await this.#file.close();
  }
}

/** The file's one connection, for as long as somebody uses it. */
class DurableConnection implements DatabaseConnection {
  readonly #plain: DatabaseConnection;
  readonly #commits: DurableCommits;
  readonly #turns: Turns;
  #hasTurn = false;
  #isInTransaction = false;
  /** Whether what follows from this transaction must not be told before the disk has it; and whether it changed anything. */
  #mayWrite = false;
  #hasChanged = false;

  constructor(plain: DatabaseConnection, commits: DurableCommits, turns: Turns) {
    this.#plain = plain;
    this.#commits = commits;
    this.#turns = turns;
  }

  async take(): Promise<void> {
    if (this.#hasTurn) return;
    await this.#turns.take();
    this.#hasTurn = true;
  }

  leave(): void {
    if (!this.#hasTurn) return;
    this.#hasTurn = false;
    this.#turns.leave();
  }

  async begin(): Promise<void> {
    await this.take();
    await this.#plain.executeQuery(CompiledQuery.raw('begin'));
    this.#isInTransaction = true;
  }

  async commit(): Promise<void> {
    await this.#plain.executeQuery(CompiledQuery.raw('commit'));
    this.#isInTransaction = false;
    await this.#settled();
  }

  async rollback(): Promise<void> {
    // What has been committed and could not be flushed is not to be taken back by this connection.
    if (!this.#isInTransaction) return;
    this.#isInTransaction = false;
    [this.#mayWrite, this.#hasChanged] = [false, false];
    await this.#plain.executeQuery(CompiledQuery.raw('rollback'));
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    await this.take();
    const result = await this.#plain.executeQuery<Row>(query);
    if (READS.test(query.sql)) return result;
    this.#mayWrite = true;
    this.#hasChanged ||= result.numAffectedRows !== 0n || !CHANGES_ROWS.test(query.sql);
    if (!this.#isInTransaction) await this.#settled();
    return result;
  }

  async *streamQuery<Row>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<Row>> {
    await this.take();
    yield* this.#plain.streamQuery<Row>(query, chunkSize);
  }

  /** Others have their turn while this waits for the disk. What changed nothing may have seen what is not there yet. */
  async #settled(): Promise<void> {
    if (!this.#mayWrite) return;
    if (this.#hasChanged) this.#commits.note();
    [this.#mayWrite, this.#hasChanged] = [false, false];
    this.leave();
    await this.#commits.settled();
  }
}

const READS = /^\s*(?:select|explain|values|pragma)\b/i;
/** Statements that say how many rows they have changed. */
const CHANGES_ROWS = /^\s*(?:insert|update|delete)\b/i;

/** Lets one in at a time, in the order they came. */
class Turns {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  async take(): Promise<void> {
    if (!this.#isTaken) this.#isTaken = true;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }
}
