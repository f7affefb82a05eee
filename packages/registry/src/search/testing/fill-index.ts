import { digestOf } from '@ingot/core/digest';
import { parseModelName } from '@ingot/core/ref';
import type { VersionRecord } from '@ingot/core/registry/registry';
import type { Database } from '../../database/database.ts';
import { insertRows } from '../../index/insert-rows.ts';
import { parentRows } from '../../index/parent-rows.ts';
import { dataRows, metricRows, packageRows, paramRows, tagRows, versionRow } from '../../index/version-rows.ts';
import { type Chance, chanceOf } from './random.ts';

/** Words of the rows, which random searches use as well. */
export const WORDS = [
  'churn',
  'wine',
  'ünï ✓',
  '模型',
  '\u{1F600}',
  '\uFFFD',
  "it's",
  'a%b',
  'A_b',
  'a_B',
  '[x]',
  '*',
  '',
  '10',
  '2',
];
const DIGESTS = ['a', 'b', 'c', 'd'].map((text) => digestOf(new TextEncoder().encode(text)));
const PINS = ['numpy==1.26.4', 'numpy==2.0rc1', 'numpy>=1.0', 'Scikit_Learn==1.5.2', 'scikit-learn==1.10', 'x==odd!'];

/** A version in the index, with what its record does not tell. */
export interface Filled {
  readonly record: VersionRecord;
  readonly updatedAt: string;
  readonly files: readonly { readonly path: string; readonly digest: string }[];
}

/** Fills the index with versions by chance; gives them. */
export async function fillIndex(
  { index }: Pick<Database, 'index'>,
  { versions, seed, models = 4 }: { readonly versions: number; readonly seed: number; readonly models?: number },
): Promise<readonly Filled[]> {
  const chance = chanceOf(seed);
  const filled = Array.from({ length: versions }, (_, at) => versionBy(chance, at, models));
  const records = filled.map(({ record: { model: _, aliases: __, ...record } }) => record);
  const names = new Map(filled.map(({ record }) => [record.modelId, record.model]));
  const at = '2026-01-01T00:00:00.000Z';
  await insertRows(
    index,
    'models',
    [...names].map(([id, name]) => ({
      id,
      name,
      closed: 0,
      created_at: at,
      created_by: 'a',
      updated_at: at,
      description: null,
      newest_description: null,
      last_number: versions,
      latest: null,
      versions,
    })),
  );
  await insertRows(
    index,
    'model_names',
    [...names].map(([model_id, name], place) => ({
      name,
      model_id,
      from_at: '2020-01-01T00:00:00.000Z',
      from_seq: place + 1,
      until_at: null,
      until_seq: null,
    })),
  );
  await insertRows(
    index,
    'versions',
    records.map((record, place) =>
      versionRow(record, {
        seq: place,
        changedSeq: place,
        updatedAt: filled[place]?.updatedAt ?? '',
        retiredSeq: null,
        deletedSeq: null,
        filesKnown: 1,
      }),
    ),
  );
  await insertRows(index, 'version_tags', records.flatMap(tagRows));
  await insertRows(index, 'version_metrics', records.flatMap(metricRows));
  await insertRows(index, 'version_params', records.flatMap(paramRows));
  await insertRows(index, 'version_packages', records.flatMap(packageRows));
  await insertRows(index, 'version_data', records.flatMap(dataRows));
  await insertRows(index, 'version_parents', await parentRows(index, records));
  const key = ({ record: { modelId: model_id, number } }: Filled) => ({ model_id, number });
  await insertRows(
    index,
    'version_files',
    filled.flatMap((each) => each.files.map((file) => ({ ...key(each), ...file, size_bytes: 1 }))),
  );
  await insertRows(
    index,
    'aliases',
    filled.flatMap((each) => each.record.aliases.map((alias) => ({ ...key(each), alias, seq: 1, at, actor: 'a' }))),
  );
  return filled;
}

function versionBy(chance: Chance, at: number, models: number): Filled {
  const { pick, below, next } = chance;
  const model = at % models;
  const maybe = <T>(value: T): T | undefined => (next() < 0.6 ? value : undefined);
  const time = (): string => new Date(Date.UTC(2026, below(12), 1 + below(28), below(24))).toISOString();
  const record: VersionRecord = {
    model: parseModelName(`${['churn', 'team/wine', 'Digits', 'iris'][model % 4]}${model < 4 ? '' : `-${model}`}`),
    modelId: `m${model}`,
    number: 1 + Math.floor(at / models),
    manifest: pick(DIGESTS),
    recipe: { digest: pick(DIGESTS), pack: 'p', offset: 0, length: 1 },
    sizeBytes: below(5) * 1000,
    fileCount: below(4),
    flavor: pick(['sklearn', 'onnx', 'file']),
    status: pick(['active', 'active', 'retired', 'deleted']),
    publishedAt: time(),
    publishedBy: pick(WORDS),
    scan: 'not scanned',
    // Each alias names one version of a model.
    aliases: at < models ? ['production'] : at < 2 * models ? ['b', 'staging'] : [],
    metrics: maybe({ auc: below(10) / 10, 'loss.val': -next() }) ?? {},
    tags: maybe({ team: pick(WORDS), 'data set': pick(WORDS) }) ?? {},
    params: { depth: below(5), rate: pick(['0.10', 'fast']), nested: { deep: pick([true, 'x', 2.5]) } },
    environment: { requirements: [pick(PINS), pick(PINS)].filter((pin, place, pins) => pins.indexOf(pin) === place) },
    lineage: {
      ...(next() < 0.5 && { git: { commit: pick(['4f1c2a', '4f1d', 'beef']), dirty: next() < 0.5 } }),
      ...(next() < 0.5 && { run: pick(['r1', 'r2']) }),
      data:
        next() < 0.5
          ? [
              { name: pick(WORDS), digest: pick(DIGESTS) },
              { name: 'customers', source: 's3://b/c' },
            ]
          : [],
      parents: next() < 0.3 ? [pick(['churn:1', 's3://bucket/x'])] : [],
    },
    ...optional({
      label: maybe(pick(['1.0', '1.10', 'x'])),
      stage: maybe(pick(['Staging', 'Production'])),
      description: maybe(`${pick(WORDS)} ${pick(WORDS)}`),
      author: maybe(pick(WORDS)),
      card: maybe(`# Card\n${pick(WORDS)}`),
      createdAt: maybe(time()),
    }),
  };
  const files = Array.from({ length: below(3) }, (_, place) => ({ path: `f${place}`, digest: pick(DIGESTS) }));
  return { record, updatedAt: time(), files };
}

function optional<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  const given: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const [key, value] of entries) Reflect.set(given, key, value);
  return given;
}
