/**
 * The embedded database: Node's own where there is one (Node 22.5 and later), else the same interface from a package.
 */

import { IngotError, systemErrorCode } from '@ingot/core/errors';
import type { SqliteDatabase as KyselySqlite, SqliteStatement } from 'kysely';

/** What Kysely asks of SQLite, and running plain statements. */
export interface SqliteEngine extends KyselySqlite {
  exec(sql: string): void;
}

/** A prepared statement as both engines have it. */
interface EngineStatement {
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
}

interface EngineDatabase {
  exec(sql: string): void;
  prepare(sql: string): EngineStatement;
  close(): void;
}

interface EngineModule {
  readonly DatabaseSync: new (path: string) => EngineDatabase;
}

const STATEMENTS_KEPT = 500;

/**
 * Opens a database file, made when there is none; `:memory:` lives as long as the connection.
 * Statements are prepared once and kept, the longest unused go first.
 */
export async function openSqliteEngine(path: string): Promise<SqliteEngine> {
  const { DatabaseSync } = await engineModule();
  const database = new DatabaseSync(path);
  const prepared = new Map<string, SqliteStatement>();
  return {
    exec: (sql) => database.exec(sql),
    close: () => {
      prepared.clear();
      database.close();
    },
    prepare: (sql) => {
      const known = prepared.get(sql);
      if (known !== undefined) {
        prepared.delete(sql);
        prepared.set(sql, known);
        return known;
      }
      const statement = adapted(database.prepare(sql), sql);
      prepared.set(sql, statement);
      const [oldest] = prepared.keys();
      if (prepared.size > STATEMENTS_KEPT && oldest !== undefined) prepared.delete(oldest);
      return statement;
    },
  };
}

function adapted(statement: EngineStatement, sql: string): SqliteStatement {
  return {
    reader: /^\s*(?:select|with|pragma|explain|values)\b|\breturning\b/i.test(sql),
    all: (parameters) => told(() => statement.all(...boundExactly(parameters))),
    run: (parameters) =>
      told(() => {
        try {
          return statement.run(...boundExactly(parameters));
        } catch (error) {
          // A disk that is full ends a transaction by itself.
          if (sql === 'rollback' && /no transaction is active/.test(String(error))) return NOTHING_DONE;
          throw error;
        }
      }),
    iterate: (parameters) => told(() => statement.iterate(...boundExactly(parameters))),
  };
}

const NOTHING_DONE = { changes: 0, lastInsertRowid: 0 };

/** Says of a disk that is full, or a file that others hold, what it is; everything else stays what it is. */
function told<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    if (/database or disk is full/i.test(text))
      throw new IngotError('disk-full', "there is no space left for the server's database", {
        retryable: true,
        hint: 'make space on the disk of INGOT_STATE; nothing has to be started again',
        cause: error,
      });
    if (/database is locked|database table is locked/i.test(text))
      throw new IngotError('unavailable', "somebody else holds the server's database", { cause: error });
    throw error;
  }
}

/**
 * The package binds a number between 0 and 2.2e-16 as 0 (it takes what is so near to a whole one for it). As a text such
 * a number keeps its value: a column of numbers, and what is compared with one, make a number of it again.
 */
function boundExactly(parameters: readonly unknown[]): readonly unknown[] {
  return parameters.some(isLostNumber)
    ? parameters.map((value) => (isLostNumber(value) ? String(value) : value))
    : parameters;
}

function isLostNumber(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value < Number.EPSILON;
}

async function engineModule(): Promise<EngineModule> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const name = major > 22 || (major === 22 && minor >= 13) ? 'node:sqlite' : '@photostructure/sqlite';
  try {
    const engine: EngineModule = await import(name);
    return engine;
  } catch (error) {
    if (systemErrorCode(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new IngotError('invalid-config', `Node.js ${process.versions.node} brings no database`, {
      hint: 'run the server with Node.js 22.13 or newer, or install the package @photostructure/sqlite beside ingot',
      cause: error,
    });
  }
}
