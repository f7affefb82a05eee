/**
 * A *backup* is one file of what is only the server's: accounts, tokens, grants, runs, policies, webhooks, audit. It is
 * the same for SQLite and Postgres, so that one can be restored into the other. Models, versions and aliases are not in
 * it: the store has them.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { IngotError } from '@ingot/core/errors';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { migrate, OWN_MIGRATIONS } from '../database/migrations.ts';

/** What a backup says of itself, on its first line. */
interface Header {
  readonly ingotBackup: 1;
  readonly release: string;
  readonly at: string;
  /** Steps that its tables had seen, by name. */
  readonly steps: readonly string[];
  readonly tables: Readonly<Record<string, readonly string[]>>;
}

/** What a backup or a restoration came to. */
export interface BackupResult {
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  readonly rows: number;
}

type Row = Readonly<Record<string, unknown>>;

const ROWS_AT_ONCE = 1000;
const PARAMETERS_AT_ONCE = 900;
const BOOKKEEPING = /^kysely_/;

/**
 * Writes what is only the server's into a file, as it was at one moment, while servers may go on.
 * @throws IngotError `path-not-found`, `disk-full`, as writing files does.
 */
export async function writeBackup(
  database: Pick<Database, 'own' | 'kind'>,
  { path, release, now }: { readonly path: string; readonly release: string; readonly now: Date },
): Promise<BackupResult> {
  const own: Kysely<Record<string, Row>> = untyped(database.own);
  const counts: Record<string, number> = {};
  const temporary = `${path}.part`;
  const level = database.kind === 'postgres' ? 'repeatable read' : undefined;
  const transaction = level === undefined ? own.transaction() : own.transaction().setIsolationLevel(level);
  try {
    await transaction.execute(async (at) => {
      const tables = await tablesOf(at, database.kind);
      const steps = await stepsOf(at);
      const header: Header = {
        ingotBackup: 1,
        release,
        at: now.toISOString(),
        steps,
        tables: Object.fromEntries(tables),
      };
      const lines = Readable.from(linesOf({ at, kind: database.kind }, header, counts));
      await pipeline(lines, createGzip(), createWriteStream(temporary, { mode: 0o600 }));
    });
    await synced(temporary);
    await rename(temporary, path);
    await synced(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { tables: counts, rows: sum(counts) };
}

/**
 * Puts a backup into a database that has nothing of its own yet, with the steps that newer releases have added.
 * @param own tables without steps, or with steps and without rows.
 * @throws IngotError `conflict` when there are rows already, `integrity` for a file that is no backup or ends too early,
 * `refused` when a newer release has written it.
 */
export async function restoreBackup(database: Pick<Database, 'own' | 'kind'>, path: string): Promise<BackupResult> {
  const own: Kysely<Record<string, Row>> = untyped(database.own);
  const iterator = linesIn(path);
  const header = headerOf(await nextLine(iterator, path), path);
  await emptied(own, database.kind);
  const known = Object.entries(OWN_MIGRATIONS).filter(([name]) => header.steps.includes(name));
  const unknown = header.steps.find((name) => !Object.hasOwn(OWN_MIGRATIONS, name));
  if (unknown !== undefined)
    throw new IngotError('refused', `${path} was written by a newer release of Ingot (${header.release})`, {
      hint: 'install the newest Ingot',
    });
  await migrate(own, Object.fromEntries(known));
  const counts = await own.transaction().execute(async (at) => {
    // Steps may have put rows of their own into new tables: those of the backup count.
    for (const table of Object.keys(header.tables)) await at.deleteFrom(table).execute();
    return insertAll(at, { iterator, header, path });
  });
  await migrate(own, OWN_MIGRATIONS);
  return { tables: counts, rows: sum(counts) };
}

interface Incoming {
  readonly iterator: AsyncIterator<string>;
  readonly header: Header;
  readonly path: string;
}

async function insertAll(at: Kysely<Record<string, Row>>, { iterator, header, path }: Incoming) {
  const counts: Record<string, number> = Object.fromEntries(Object.keys(header.tables).map((table) => [table, 0]));
  for (;;) {
    const line = parsed(await nextLine(iterator, path), path);
    if ('end' in line) {
      if (line.end !== sum(counts)) throw damaged(path, 'it ends too early');
      return counts;
    }
    const { table, rows } = line;
    if (typeof table !== 'string' || !Object.hasOwn(header.tables, table) || !Array.isArray(rows))
      throw damaged(path, 'a line of it is not understood');
    const values: Row[] = rows.map((row: unknown[]) => rowOf(header.tables[table] ?? [], row));
    const size = Math.max(1, Math.floor(PARAMETERS_AT_ONCE / Math.max(1, header.tables[table]?.length ?? 1)));
    for (let from = 0; from < values.length; from += size)
      await at
        .insertInto(table)
        .values(values.slice(from, from + size))
        .execute();
    counts[table] = (counts[table] ?? 0) + values.length;
  }
}

/** Tables in one transaction. */
interface Snapshot {
  readonly at: Kysely<Record<string, Row>>;
  readonly kind: Database['kind'];
}

async function* linesOf(snapshot: Snapshot, header: Header, counts: Record<string, number>): AsyncGenerator<string> {
  yield `${JSON.stringify(header)}\n`;
  for (const [table, columns] of Object.entries(header.tables)) {
    counts[table] = 0;
    const pages = snapshot.kind === 'postgres' ? fetchedPages(snapshot, table) : numberedPages(snapshot, table);
    for await (const rows of pages) {
      const values = rows.map((row) => columns.map((column) => plainOf(row[column])));
      yield `${JSON.stringify({ table, rows: values })}\n`;
      counts[table] += rows.length;
    }
  }
  yield `${JSON.stringify({ end: sum(counts) })}\n`;
}

/** Rows of SQLite by their numbers: every page costs the same, however far it lies. */
async function* numberedPages({ at }: Snapshot, table: string): AsyncGenerator<readonly Row[]> {
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const { rows } = await sql<Row>`select rowid as ${sql.ref(PLACE)}, * from ${sql.table(table)}
      where rowid > ${after} order by rowid limit ${ROWS_AT_ONCE}`.execute(at);
    if (rows.length > 0) yield rows;
    if (rows.length < ROWS_AT_ONCE) return;
    after = Number(rows.at(-1)?.[PLACE]);
  }
}

const PLACE = 'ingot_place';

/** Rows of Postgres from a cursor, which lasts as long as the transaction. */
async function* fetchedPages({ at }: Snapshot, table: string): AsyncGenerator<readonly Row[]> {
  await sql`declare ingot_rows no scroll cursor for select * from ${sql.table(table)}`.execute(at);
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.lit(ROWS_AT_ONCE)} from ingot_rows`.execute(at);
    if (rows.length > 0) yield rows;
    if (rows.length < ROWS_AT_ONCE) break;
  }
  await sql`close ingot_rows`.execute(at);
}

async function tablesOf(at: Kysely<Record<string, Row>>, kind: Database['kind']): Promise<[string, string[]][]> {
  const schema =
    kind === 'postgres'
      ? (await sql<{ name: string }>`select current_schema() as name`.execute(at)).rows[0]?.name
      : undefined;
  const tables = await at.introspection.getTables();
  return tables
    .filter(
      (table) => !table.isView && !BOOKKEEPING.test(table.name) && (schema === undefined || table.schema === schema),
    )
    .map(({ name, columns }): [string, string[]] => [name, columns.map((column) => column.name).sort()])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

async function stepsOf(at: Kysely<Record<string, Row>>): Promise<string[]> {
  const rows = await at.selectFrom('kysely_migration').select('name').orderBy('name').execute();
  return rows.map(({ name }) => String(name));
}

async function emptied(own: Kysely<Record<string, Row>>, kind: Database['kind']): Promise<void> {
  const tables = await tablesOf(own, kind);
  for (const [table] of tables) {
    const row = await own.selectFrom(table).select(sql`1`.as('one')).limit(1).executeTakeFirst();
    if (row === undefined || STARTERS.has(table)) continue;
    throw new IngotError('conflict', 'the database has something of its own already: nothing was restored', {
      hint: 'give the server an empty state directory (--state) or database (--db)',
      details: { table },
    });
  }
  // The tables are made again as they were when the backup was written.
  for (const [table] of tables) await own.schema.dropTable(table).ifExists().execute();
  for (const table of ['kysely_migration', 'kysely_migration_lock'])
    await own.schema.dropTable(table).ifExists().execute();
}

/** Tables that a server fills by itself when it starts. */
const STARTERS: ReadonlySet<string> = new Set([
  'access_facts',
  'access_events',
  'experiments',
  'audit_keys',
  'webhook_cursors',
  'governance_schedules',
]);

async function* linesIn(path: string): AsyncGenerator<string> {
  const source = createReadStream(path);
  const plain = createGunzip();
  source.on('error', (error) => plain.destroy(error));
  source.pipe(plain);
  let rest = '';
  plain.setEncoding('utf8');
  for await (const chunk of plain) {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

async function nextLine(iterator: AsyncIterator<string>, path: string): Promise<string> {
  try {
    const { value, done } = await iterator.next();
    if (done !== true && typeof value === 'string') return value;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new IngotError('path-not-found', `there is no ${path}`, { cause: error });
    throw damaged(path, error instanceof Error ? error.message : String(error));
  }
  throw damaged(path, 'it ends too early');
}

function headerOf(line: string, path: string): Header {
  const header: Partial<Header> = parsed(line, path);
  if (header.ingotBackup !== 1 || !Array.isArray(header.steps) || typeof header.tables !== 'object')
    throw damaged(path, 'it does not begin as one');
  return {
    ingotBackup: 1,
    release: String(header.release),
    at: String(header.at),
    steps: header.steps,
    tables: header.tables,
  };
}

function parsed(line: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw damaged(path, 'a line of it is not understood');
}

function damaged(path: string, why: string): IngotError {
  return new IngotError('integrity', `${path} is no whole backup: ${why}`, { hint: 'take another one' });
}

function rowOf(columns: readonly string[], values: readonly unknown[]): Row {
  return Object.fromEntries(columns.map((column, index) => [column, storedOf(values[index])]));
}

/** Bytes go as base64 in an object: no column holds objects. */
function plainOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  return typeof value === 'bigint' ? Number(value) : value;
}

function storedOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const bytes: unknown = Reflect.get(value, 'bytes');
  return typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : null;
}

async function synced(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** Tables are named by the file here, not by types. */
function untyped<Tables>(own: Kysely<Tables>): Kysely<Record<string, Row>> {
  return own.withTables<Record<string, Row>>() as unknown as Kysely<Record<string, Row>>;
}
