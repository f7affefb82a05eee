import type { Digest } from '@ingot/core/digest';
import { isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { compact } from '@ingot/core/registry/fields';
import type { VersionRecord } from '@ingot/core/registry/registry';
import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { VersionMetricRow, VersionTagRow } from '../index/tables.ts';

/** A version as a search answers with it. */
export interface FoundVersion {
  readonly model: string;
  readonly modelId: string;
  readonly number: number;
  readonly manifest: Digest;
  readonly label?: string;
  readonly status: VersionRecord['status'];
  readonly stage?: string;
  readonly aliases: readonly string[];
  readonly flavor: string;
  readonly sizeBytes: number;
  readonly description?: string;
  readonly author?: string;
  readonly publishedAt: string;
  readonly publishedBy: string;
  readonly updatedAt?: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** The columns of {@link FoundCells}, of a version `v` of a model `m`. */
export const FOUND_CELLS = sql`m.name as name, v.model_id as model_id, v.number as number, v.manifest as manifest,
  v.label as label, v.status as status, v.stage as stage, v.flavor as flavor, v.size_bytes as size_bytes,
  v.description as description, v.author as author, v.published_at as published_at, v.published_by as published_by,
  v.updated_at as updated_at`;

/** What is read of a version that was found. */
export interface FoundCells {
  readonly name: string;
  readonly model_id: string;
  readonly number: number;
  readonly manifest: string;
  readonly label: string | null;
  readonly status: VersionRecord['status'];
  readonly stage: string | null;
  readonly flavor: string;
  readonly size_bytes: number;
  readonly description: string | null;
  readonly author: string | null;
  readonly published_at: string;
  readonly published_by: string;
  readonly updated_at: string;
}

/** Adds aliases, metrics and tags to what was found: three queries for a page, the same for any number of rows. */
export async function foundVersions(
  { index, kind }: Pick<Database, 'index' | 'kind'>,
  rows: readonly FoundCells[],
): Promise<FoundVersion[]> {
  if (rows.length === 0) return [];
  const places = JSON.stringify(rows.map(({ model_id, number }) => [model_id, number]));
  const mine =
    kind === 'sqlite'
      ? sql`(select value ->> 0 as model_id, value ->> 1 as number from json_each(${places})) as k cross`
      : sql`(select value ->> 0 as model_id, (value ->> 1)::bigint as number from json_array_elements(${places}::json)) as k`;
  const on = sql`on t.model_id = k.model_id and t.number = k.number`;
  const { rows: aliases } = await sql<Keyed & { readonly alias: string }>`
    select t.model_id, t.number, t.alias from ${mine} join aliases as t ${on} order by t.alias`.execute(index);
  const { rows: metrics } = await sql<VersionMetricRow>`
    select t.model_id, t.number, t.key, t.value from ${mine} join version_metrics as t ${on}`.execute(index);
  const { rows: tags } = await sql<VersionTagRow>`
    select t.model_id, t.number, t.key, t.value from ${mine} join version_tags as t ${on}`.execute(index);
  const aliasesOf = grouped(aliases);
  const metricsOf = grouped(metrics);
  const tagsOf = grouped(tags);
  return rows.map((row) => {
    const key = keyOf(row);
    return foundOf(row, {
      aliases: (aliasesOf.get(key) ?? []).map(({ alias }) => alias),
      metrics: Object.fromEntries((metricsOf.get(key) ?? []).map((each) => [each.key, each.value])),
      tags: Object.fromEntries((tagsOf.get(key) ?? []).map((each) => [each.key, each.value])),
    });
  });
}

function foundOf(row: FoundCells, more: Pick<FoundVersion, 'aliases' | 'metrics' | 'tags'>): FoundVersion {
  if (!isDigest(row.manifest))
    throw new IngotError('integrity', `the index has no digest of version ${row.number} of ${row.model_id}`);
  return compact({
    model: row.name,
    modelId: row.model_id,
    number: row.number,
    manifest: row.manifest,
    label: row.label ?? undefined,
    status: row.status,
    stage: row.stage ?? undefined,
    flavor: row.flavor,
    sizeBytes: row.size_bytes,
    description: row.description ?? undefined,
    author: row.author ?? undefined,
    publishedAt: row.published_at,
    publishedBy: row.published_by,
    updatedAt: row.updated_at,
    ...more,
  });
}

interface Keyed {
  readonly model_id: string;
  readonly number: number;
}

function keyOf({ model_id, number }: Keyed): string {
  return `${model_id} ${number}`;
}

function grouped<Row extends Keyed>(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return groups;
}
