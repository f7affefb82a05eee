/** The *fields* of a version that a search can name, and where their values lie. */

import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import { storable } from '../index/storable.ts';
import { EXAMPLE } from './parse.ts';

/** What values are, and so how they compare. `hash` is found by its beginning; `version` sorts as Python's versions do. */
export type FieldType = 'text' | 'hash' | 'number' | 'size' | 'time' | 'truth' | 'version';

/** A column of a version's own row. */
export interface ScalarSource {
  readonly kind: 'scalar';
  readonly column: ScalarColumn;
}

/** Columns of a version's row, and the model's name. */
export type ScalarColumn =
  | 'name'
  | 'number'
  | 'label'
  | 'status'
  | 'stage'
  | 'flavor'
  | 'author'
  | 'description'
  | 'message'
  | 'manifest'
  | 'run'
  | 'published_by'
  | 'published_at'
  | 'updated_at'
  | 'made_at'
  | 'size_bytes'
  | 'file_count'
  | 'git_commit'
  | 'git_branch'
  | 'git_dirty'
  | 'executes_code';

/** A column of rows that a version has any number of; with `key`, only of those with it. */
export interface RowsSource {
  readonly kind: 'rows';
  readonly rows: RowsName;
  readonly column: string;
  readonly key?: string;
}

/** What a version has any number of. */
export type RowsName = 'tags' | 'metrics' | 'params' | 'packages' | 'data' | 'parents' | 'files' | 'aliases';

/** Where values lie. */
export type Source = ScalarSource | RowsSource;

/** A field as it was named. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** Its values are those of all of them. */
  readonly sources: readonly Source[];
  /** A version has a set of values: `!=` means that none of them is it. */
  readonly isSet: boolean;
}

const scalar = (type: FieldType, column: ScalarColumn): Omit<Field, 'name'> => ({
  type,
  sources: [{ kind: 'scalar', column }],
  isSet: false,
});
const rows = (type: FieldType, from: RowsName, ...columns: readonly string[]): Omit<Field, 'name'> => ({
  type,
  sources: columns.map((column) => ({ kind: 'rows', rows: from, column })),
  isSet: true,
});

const FIELDS: ReadonlyMap<string, Omit<Field, 'name'>> = new Map(
  Object.entries({
    name: scalar('text', 'name'),
    version: scalar('number', 'number'),
    label: scalar('text', 'label'),
    status: scalar('text', 'status'),
    stage: scalar('text', 'stage'),
    flavor: scalar('text', 'flavor'),
    author: scalar('text', 'author'),
    description: scalar('text', 'description'),
    message: scalar('text', 'message'),
    manifest: scalar('hash', 'manifest'),
    run: scalar('text', 'run'),
    publisher: scalar('text', 'published_by'),
    published: scalar('time', 'published_at'),
    updated: scalar('time', 'updated_at'),
    made: scalar('time', 'made_at'),
    size: scalar('size', 'size_bytes'),
    files: scalar('number', 'file_count'),
    commit: scalar('hash', 'git_commit'),
    branch: scalar('text', 'git_branch'),
    dirty: scalar('truth', 'git_dirty'),
    executes_code: scalar('truth', 'executes_code'),
    alias: rows('text', 'aliases', 'alias'),
    package: rows('text', 'packages', 'package'),
    data: rows('text', 'data', 'name', 'digest', 'source'),
    'data.name': rows('text', 'data', 'name'),
    'data.digest': rows('hash', 'data', 'digest'),
    'data.source': rows('text', 'data', 'source'),
    parent: rows('text', 'parents', 'parent'),
    file: rows('text', 'files', 'path'),
    digest: {
      type: 'hash',
      isSet: true,
      sources: [
        { kind: 'scalar', column: 'manifest' },
        { kind: 'rows', rows: 'files', column: 'digest' },
      ],
    },
  }),
);

/** Other words for the same, MLflow's among them. */
const SYNONYMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    model: 'name',
    number: 'version',
    version_number: 'version',
    aliases: 'alias',
    current_stage: 'stage',
    run_id: 'run',
    'git.commit': 'commit',
    'git.branch': 'branch',
    'git.dirty': 'dirty',
    created: 'published',
    creation_timestamp: 'published',
    published_at: 'published',
    published_by: 'publisher',
    user_id: 'publisher',
    updated_at: 'updated',
    timestamp: 'updated',
    last_updated_timestamp: 'updated',
    created_at: 'made',
    size_bytes: 'size',
    parents: 'parent',
    packages: 'package',
    dataset: 'data',
    'dataset.name': 'data.name',
    'dataset.digest': 'data.digest',
    'dataset.source': 'data.source',
  }),
);

const KEYED: ReadonlyMap<string, 'tags' | 'metrics' | 'params' | 'packages'> = new Map([
  ['tag', 'tags'],
  ['tags', 'tags'],
  ['metric', 'metrics'],
  ['metrics', 'metrics'],
  ['param', 'params'],
  ['params', 'params'],
  ['parameter', 'params'],
  ['parameters', 'params'],
  ['package', 'packages'],
  ['packages', 'packages'],
  ['environment', 'packages'],
]);

/** Names that a search can use, for people: those with keys have `KEY` or `NAME`. */
export const FIELD_NAMES: readonly string[] = [
  ...FIELDS.keys(),
  'tags.KEY',
  'metrics.KEY',
  'params.KEY',
  'package:NAME',
];

/** A field as it stands in a search. */
export interface FieldText {
  readonly entity: string | undefined;
  readonly key: string;
  readonly at: number;
}

/**
 * Says which field is named.
 * @throws IngotError `usage` with the nearest field for one that no version has.
 */
export function fieldOf({ entity, key, at }: FieldText): Field {
  const isAttribute = entity !== undefined && /^attributes?$/i.test(entity);
  const whole = entity === undefined || isAttribute ? key : `${entity}.${key}`;
  const keyed = keyedField(entity, key, whole);
  if (keyed !== undefined) return keyed;
  const lower = whole.toLowerCase();
  const name = SYNONYMS.get(lower) ?? lower;
  const field = FIELDS.get(name);
  if (field !== undefined) return { name, ...field };
  throw unknownField(whole, at);
}

function keyedField(entity: string | undefined, key: string, whole: string): Field | undefined {
  const colon = /^(packages?):(.+)$/is.exec(whole);
  if (colon?.[2] !== undefined) return packageField(colon[2]);
  const from = entity === undefined ? undefined : KEYED.get(entity.toLowerCase());
  if (from === undefined) return undefined;
  if (from === 'packages') return packageField(key);
  const name = `${from}.${key}`;
  const type = from === 'metrics' ? 'number' : 'text';
  const source = { kind: 'rows', rows: from, column: 'value', key: storable(key) } as const;
  return { name, type, sources: [source], isSet: false };
}

/** Packages are one whatever their case, and however their words are joined (PEP 503). */
function packageField(text: string): Field {
  const key = storable(text.toLowerCase().replace(/[-_.]+/g, '-'));
  const source = { kind: 'rows', rows: 'packages', column: 'version', key } as const;
  return { name: `package:${key}`, type: 'version', sources: [source], isSet: false };
}

function unknownField(name: string, at: number): IngotError {
  const shown = name.slice(0, 100);
  const meant = nearest(shown.toLowerCase(), [...FIELDS.keys(), ...SYNONYMS.keys()]);
  return new IngotError('usage', `versions have no field "${shown}" (character ${at + 1} of the filter)`, {
    ...(meant !== undefined && { nearest: meant }),
    details: { at, fields: [...FIELD_NAMES] },
    hint: `${EXAMPLE}   (a tag is tags.${shown}, a metric metrics.${shown}, a package package:${shown})`,
  });
}
