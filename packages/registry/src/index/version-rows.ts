/** What the rows of a version say, from its record alone: so that they come out the same however they came about. */

import type { JsonObject, JsonValue } from '@ingot/core/json';
import { canonicalJson, isJsonObject } from '@ingot/core/json';
import type { VersionRecord } from '@ingot/core/registry/registry';
import { storable, storableOrNull } from './storable.ts';
import type {
  VersionDataRow,
  VersionMetricRow,
  VersionPackageRow,
  VersionParamRow,
  VersionRow,
  VersionTagRow,
} from './tables.ts';
import { versionSortKey } from './version-sort-key.ts';

/** A version as its row keeps it: the name may change, and aliases have rows of their own. */
export type StoredRecord = Omit<VersionRecord, 'aliases' | 'model'>;

/** What a row knows besides the record. */
export interface VersionPlace {
  /** Event that published it. */
  readonly seq: number;
  /** Event that changed it last. */
  readonly changedSeq: number;
  readonly updatedAt: string;
  readonly retiredSeq: number | null;
  readonly deletedSeq: number | null;
  readonly filesKnown: number;
}

/** The row of a version. */
export function versionRow(record: StoredRecord, place: VersionPlace): VersionRow {
  const { lineage, serializer } = record;
  const git = lineage?.git;
  return {
    model_id: record.modelId,
    number: record.number,
    seq: place.seq,
    changed_seq: place.changedSeq,
    manifest: record.manifest,
    label: storableOrNull(record.label),
    label_shadowed: record.labelShadowed ? 1 : 0,
    status: record.status,
    published_at: record.publishedAt,
    published_by: storable(record.publishedBy),
    updated_at: place.updatedAt,
    made_at: storableOrNull(record.createdAt),
    flavor: storable(record.flavor),
    size_bytes: record.sizeBytes,
    file_count: record.fileCount,
    description: storableOrNull(record.description),
    author: storableOrNull(record.author),
    message: storableOrNull(record.message),
    stage: storableOrNull(record.stage),
    retired_seq: place.retiredSeq,
    deleted_seq: place.deletedSeq,
    git_commit: storableOrNull(git?.commit),
    git_branch: storableOrNull(git?.branch),
    git_dirty: git === undefined ? null : Number(git.dirty),
    run: storableOrNull(lineage?.run),
    executes_code: serializer === undefined ? null : Number(serializer.executesCode),
    files_known: place.filesKnown,
    search_text: searchText(record),
    // The same text whichever way the record came about.
    record: canonicalJson(record),
  };
}

/** What people have written of a version, a line each. */
export function searchText({ label, description, author, message, card, tags = {} }: Partial<StoredRecord>): string {
  const tagged = sortedEntries(tags).map(([key, value]) => `${key} ${value}`);
  return storable(
    [label, description, author, message, ...tagged, card].filter((line) => line !== undefined).join('\n'),
  );
}

/** Rows of a version's tags. */
export function tagRows(record: StoredRecord): VersionTagRow[] {
  const rows = sortedEntries(record.tags ?? {}).map(([key, value]) => ({
    ...keyOf(record),
    key: storable(key),
    value: storable(value),
  }));
  return distinct(rows, ({ key }) => key);
}

/** Rows of a version's metrics. */
export function metricRows(record: StoredRecord): VersionMetricRow[] {
  const rows = sortedEntries(record.metrics ?? {}).map(([key, value]) => ({
    ...keyOf(record),
    key: storable(key),
    value,
  }));
  return distinct(rows, ({ key }) => key);
}

/** Rows of a version's hyperparameters; those inside of objects have keys with dots. */
export function paramRows(record: StoredRecord): VersionParamRow[] {
  const rows = flattened(record.params ?? {}, '').map(([key, value]) => ({
    ...keyOf(record),
    key: storable(key),
    value: storable(typeof value === 'string' ? value : JSON.stringify(value)),
    number_value: numberIn(value),
  }));
  return distinct(rows, ({ key }) => key);
}

const REQUIREMENT = /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:===?\s*([^\s;,]+)\s*(?:;.*)?$)?/;

/** Rows of the packages in a version's environment; only pinned ones have a version. */
export function packageRows(record: StoredRecord): VersionPackageRow[] {
  const rows = (record.environment?.requirements ?? []).flatMap((requirement) => {
    const match = REQUIREMENT.exec(requirement.trim());
    const name = match?.[1];
    if (name === undefined) return [];
    const version = match?.[2] ?? null;
    return [
      {
        ...keyOf(record),
        package: name.toLowerCase().replace(/[-_.]+/g, '-'),
        version: version === null ? null : storable(version),
        sort_key: version === null ? null : (versionSortKey(version) ?? null),
      },
    ];
  });
  return distinct(rows, (row) => row.package);
}

/** Rows of the data that a version was made with. */
export function dataRows(record: StoredRecord): VersionDataRow[] {
  return (record.lineage?.data ?? []).map(({ name, digest, source }, place) => ({
    ...keyOf(record),
    place,
    name: storable(name),
    digest: storableOrNull(digest),
    source: storableOrNull(source),
  }));
}

function keyOf({ modelId, number }: StoredRecord): { readonly model_id: string; readonly number: number } {
  return { model_id: modelId, number };
}

// The same rows whatever order a record's entries came in.
function sortedEntries<Value>(object: Readonly<Record<string, Value>>): [string, Value][] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
}

// What differs only in characters that no database holds is one key in the index.
function distinct<Row>(rows: readonly Row[], key: (row: Row) => string): Row[] {
  return [...new Map(rows.map((row) => [key(row), row])).values()];
}

const DEEPEST = 16;

function flattened(object: JsonObject, prefix: string, depth = 1): [string, JsonValue][] {
  return sortedEntries(object).flatMap(([key, value]): [string, JsonValue][] => {
    if (isJsonObject(value) && depth < DEEPEST && Object.keys(value).length > 0)
      return flattened(value, `${prefix}${key}.`, depth + 1);
    return value === undefined ? [] : [[`${prefix}${key}`, value]];
  });
}

function numberIn(value: JsonValue): number | null {
  if (typeof value === 'number') return value;
  // Foreign clients write every parameter as text.
  if (typeof value !== 'string' || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
