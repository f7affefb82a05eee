import { type Kysely, PostgresAdapter, sql } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const INDEX_STEPS: MigrationSteps = {
  '2026-11-21-index-1': { up: makeTables },
  '2026-11-21-index-2': { up: addSearch },
  '2026-11-22-index-1': { up: addChanges },
};

interface Column {
  readonly type: 'text' | 'integer' | 'number';
  readonly isNullable: boolean;
}

const text: Column = { type: 'text', isNullable: false };
const textOrNull: Column = { type: 'text', isNullable: true };
const integer: Column = { type: 'integer', isNullable: false };
const integerOrNull: Column = { type: 'integer', isNullable: true };
const number: Column = { type: 'number', isNullable: false };
const numberOrNull: Column = { type: 'number', isNullable: true };

interface Table {
  readonly columns: Readonly<Record<string, Column>>;
  readonly key: readonly string[];
  readonly indexes?: Readonly<Record<string, readonly string[]>>;
  readonly unique?: Readonly<Record<string, readonly string[]>>;
}

const version = { model_id: text, number: integer } as const;

const OF_MODEL = ['model_id', 'updated_at', 'number', 'status', 'changed_seq'];

const TABLES: Readonly<Record<string, Table>> = {
  logs: { columns: { log: text, seq: integer, digest: text }, key: ['log'] },
  log_problems: { columns: { log: text, code: text, message: text, since: text }, key: ['log'] },
  models: {
    columns: {
      id: text,
      name: textOrNull,
      closed: integer,
      created_at: text,
      created_by: text,
      updated_at: text,
      description: textOrNull,
      newest_description: textOrNull,
      last_number: integer,
      latest: integerOrNull,
      versions: integer,
    },
    key: ['id'],
    unique: { models_by_name: ['name'] },
    indexes: { models_by_update: ['updated_at', 'id'], models_by_creation: ['created_at', 'id'] },
  },
  model_names: {
    columns: {
      name: text,
      model_id: text,
      from_at: text,
      from_seq: integer,
      until_at: textOrNull,
      until_seq: integerOrNull,
    },
    key: ['name', 'from_seq'],
    indexes: { model_names_by_model: ['model_id'] },
  },
  model_tags: {
    columns: { model_id: text, key: text, value: text },
    key: ['model_id', 'key'],
    indexes: { model_tags_by_key: ['key'] },
  },
  versions: {
    columns: {
      ...version,
      seq: integer,
      changed_seq: integer,
      manifest: text,
      label: textOrNull,
      label_shadowed: integer,
      status: text,
      published_at: text,
      published_by: text,
      updated_at: text,
      made_at: textOrNull,
      flavor: text,
      size_bytes: integer,
      file_count: integer,
      description: textOrNull,
      author: textOrNull,
      message: textOrNull,
      stage: textOrNull,
      retired_seq: integerOrNull,
      deleted_seq: integerOrNull,
      git_commit: textOrNull,
      git_branch: textOrNull,
      git_dirty: integerOrNull,
      run: textOrNull,
      executes_code: integerOrNull,
      files_known: integer,
      search_text: text,
      record: text,
    },
    key: ['model_id', 'number'],
    indexes: {
      versions_of_model: OF_MODEL,
      versions_by_status: ['model_id', 'status', 'number'],
      versions_by_label: ['model_id', 'label'],
      versions_by_manifest: ['manifest'],
      versions_by_publication: ['published_at', 'model_id', 'number'],
      versions_by_update: ['updated_at', 'model_id', 'number'],
      versions_by_author: ['author'],
      versions_by_flavor: ['flavor'],
      versions_by_commit: ['git_commit'],
      versions_by_run: ['run'],
      versions_by_stage: ['stage', 'model_id'],
      versions_newest_of_stage: ['model_id', 'stage', 'number'],
      versions_by_files_known: ['files_known', 'published_at'],
    },
  },
  version_tags: {
    columns: { ...version, key: text, value: text },
    key: ['model_id', 'number', 'key'],
    indexes: { version_tags_by_key: ['key', 'model_id', 'number'] },
  },
  version_metrics: {
    columns: { ...version, key: text, value: number },
    key: ['model_id', 'number', 'key'],
    indexes: { version_metrics_by_value: ['key', 'value', 'model_id', 'number'] },
  },
  version_params: {
    columns: { ...version, key: text, value: text, number_value: numberOrNull },
    key: ['model_id', 'number', 'key'],
    indexes: { version_params_by_number: ['key', 'number_value', 'model_id', 'number'] },
  },
  version_packages: {
    columns: { ...version, package: text, version: textOrNull, sort_key: textOrNull },
    key: ['model_id', 'number', 'package'],
    indexes: { version_packages_by_package: ['package', 'sort_key', 'model_id', 'number'] },
  },
  version_data: {
    columns: { ...version, place: integer, name: text, digest: textOrNull, source: textOrNull },
    key: ['model_id', 'number', 'place'],
    indexes: { version_data_by_digest: ['digest'], version_data_by_name: ['name'] },
  },
  version_parents: {
    columns: {
      ...version,
      place: integer,
      parent: text,
      parent_model_id: textOrNull,
      parent_number: integerOrNull,
    },
    key: ['model_id', 'number', 'place'],
    indexes: { version_parents_by_parent: ['parent_model_id', 'parent_number'] },
  },
  version_files: {
    columns: { ...version, path: text, digest: text, size_bytes: integer },
    key: ['model_id', 'number', 'path'],
    indexes: { version_files_by_digest: ['digest'] },
  },
  aliases: {
    columns: { model_id: text, alias: text, number: integer, seq: integer, at: text, actor: text },
    key: ['model_id', 'alias'],
    indexes: { aliases_by_version: ['model_id', 'number'], aliases_by_alias: ['alias', 'model_id'] },
  },
  alias_moves: {
    columns: {
      model_id: text,
      seq: integer,
      alias: text,
      from_number: integerOrNull,
      to_number: integerOrNull,
      at: text,
      actor: text,
      reason: textOrNull,
    },
    key: ['model_id', 'seq'],
    indexes: { alias_moves_by_alias: ['model_id', 'alias', 'seq'] },
  },
  events: {
    columns: {
      log: text,
      seq: integer,
      digest: text,
      id: text,
      at: text,
      actor: text,
      kind: text,
      reason: textOrNull,
      body: textOrNull,
    },
    key: ['log', 'seq'],
    indexes: { events_by_time: ['at', 'log', 'seq'], events_by_kind: ['log', 'kind', 'seq'] },
  },
};

/** Names of all tables of the index, with their columns. */
export const INDEX_COLUMNS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(TABLES).map(([name, { columns }]) => [name, Object.keys(columns)]),
);

async function makeTables(database: Kysely<unknown>): Promise<void> {
  const isPostgres = database.getExecutor().adapter instanceof PostgresAdapter;
  for (const [name, table] of Object.entries(TABLES))
    for (const statement of statementsOf(name, table, isPostgres)) await sql.raw(statement).execute(database);
}

/** What searches need besides: equal tags are found by the beginning of their value, as long ones fit into no index. */
async function addSearch(database: Kysely<unknown>): Promise<void> {
  await addToVersions(database, 'search_text', `text not null default ''`);
  await sql
    .raw(
      'create index "version_tags_by_value" on "version_tags" ("key", (substr("value", 1, 100)), "model_id", "number")',
    )
    .execute(database);
}

/** Which event changed a version last; and an index that has all that a page of a model's versions is made of. */
async function addChanges(database: Kysely<unknown>): Promise<void> {
  const type = database.getExecutor().adapter instanceof PostgresAdapter ? 'bigint' : 'integer';
  await addToVersions(database, 'changed_seq', `${type} not null default 0`);
  const [statement = ''] = indexStatements('versions', { versions_of_model: OF_MODEL });
  await sql.raw(statement.replace('create index', 'create index if not exists')).execute(database);
}

/** Adds a column, unless the table was made with it. */
async function addToVersions(database: Kysely<unknown>, column: string, type: string): Promise<void> {
  const tables = await database.introspection.getTables();
  const versions = tables.find(({ name }) => name === 'versions');
  if (versions !== undefined && !versions.columns.some(({ name }) => name === column))
    await sql.raw(`alter table "versions" add column "${column}" ${type}`).execute(database);
}

function statementsOf(name: string, { columns, key, indexes, unique }: Table, isPostgres: boolean): string[] {
  const columnTexts = Object.entries(columns).map(
    ([column, { type, isNullable }]) => `"${column}" ${typeOf(type, isPostgres)}${isNullable ? '' : ' not null'}`,
  );
  // Rows that are little more than their key lie in it.
  const isSlim = !isPostgres && columnTexts.length <= 7 && name !== 'alias_moves';
  return [
    `create table "${name}" (${columnTexts.join(', ')}, primary key (${quoted(key)}))${isSlim ? ' without rowid' : ''}`,
    ...indexStatements(name, indexes),
    ...Object.entries(unique ?? {}).map(([index, on]) => `create unique index "${index}" on "${name}" (${quoted(on)})`),
  ];
}

function indexStatements(table: string, indexes: Table['indexes']): string[] {
  return Object.entries(indexes ?? {}).map(([index, on]) => `create index "${index}" on "${table}" (${quoted(on)})`);
}

/**
 * Takes the search indexes away while much is written, and makes them again. For a database whose readers go on meanwhile
 * with what was there before the transaction (SQLite).
 */
export async function withoutIndexes<Tables, Result>(
  database: Kysely<Tables>,
  write: () => Promise<Result>,
): Promise<Result> {
  for (const { indexes } of Object.values(TABLES))
    for (const index of Object.keys(indexes ?? {})) await sql.raw(`drop index if exists "${index}"`).execute(database);
  const result = await write();
  for (const [name, { indexes }] of Object.entries(TABLES))
    for (const statement of indexStatements(name, indexes)) await sql.raw(statement).execute(database);
  return result;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

/** Texts sort by their bytes in both databases, as names and keys do everywhere in Ingot. */
function typeOf(type: Column['type'], isPostgres: boolean): string {
  if (!isPostgres) return { text: 'text', integer: 'integer', number: 'real' }[type];
  return { text: 'text collate "C"', integer: 'bigint', number: 'double precision' }[type];
}
