import { storable } from '../index/storable.ts';
import {
  dataRows,
  metricRows,
  packageRows,
  paramRows,
  searchText,
  type StoredRecord,
  tagRows,
  versionRow,
} from '../index/version-rows.ts';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { RowsName, ScalarColumn, Source } from './fields.ts';

/** What is known of one version, for evaluating searches in memory. */
export interface Facts {
  /** The values of a source, none where the version has none; undefined: it is not known. */
  values(source: Source): readonly (string | number)[] | undefined;
  /** Texts that words are looked for in; undefined: they are not known. */
  readonly texts: readonly string[] | undefined;
}

/** What a record does not tell. Default: it is not known. */
export interface FurtherFacts {
  /** ISO 8601, UTC. */
  readonly updatedAt?: string;
  readonly files?: readonly { readonly path: string; readonly digest: string }[];
}

type Row = Readonly<Record<string, string | number | null>>;

/** Says what a record tells of a version: the same values that its rows in the index have. */
export function factsOf(version: VersionRecord, further: FurtherFacts = {}): Facts {
  const { aliases, model, ...record } = version;
  const seqs = { seq: 0, changedSeq: 0, retiredSeq: null, deletedSeq: null };
  const place = { ...seqs, updatedAt: further.updatedAt ?? '', filesKnown: 0 };
  const row: Row = { ...versionRow(record, place), name: model };
  const known = new Map<RowsName, readonly Row[] | undefined>([['files', further.files?.map((file) => ({ ...file }))]]);
  const rowsOf = (name: RowsName): readonly Row[] | undefined => {
    if (!known.has(name)) known.set(name, ROWS[name](record, aliases));
    return known.get(name);
  };
  const scalars = (column: ScalarColumn): readonly (string | number)[] | undefined => {
    if (column === 'updated_at' && further.updatedAt === undefined) return undefined;
    const value = row[column];
    return value === null || value === undefined ? [] : [value];
  };
  return {
    texts: [model, searchText(record)],
    values: (source) => {
      if (source.kind === 'scalar') return scalars(source.column);
      const { key, column } = source;
      const keyColumn = source.rows === 'packages' ? 'package' : 'key';
      const mine = rowsOf(source.rows)?.filter((each) => key === undefined || each[keyColumn] === key);
      return mine?.flatMap((each) => each[column] ?? []);
    },
  };
}

const ROWS: Readonly<Record<RowsName, (record: StoredRecord, aliases: readonly string[]) => readonly Row[]>> = {
  tags: (record) => tagRows(record).map((row) => ({ ...row })),
  metrics: (record) => metricRows(record).map((row) => ({ ...row })),
  params: (record) => paramRows(record).map((row) => ({ ...row })),
  packages: (record) => packageRows(record).map((row) => ({ ...row })),
  data: (record) => dataRows(record).map((row) => ({ ...row })),
  parents: ({ lineage }) => (lineage?.parents ?? []).map((parent) => ({ parent: storable(parent) })),
  files: () => [],
  aliases: (_, aliases) => aliases.map((alias) => ({ alias: storable(alias) })),
};
