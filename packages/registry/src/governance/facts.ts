import type { JsonValue } from '@ingot/core/json';
import { isJsonObject } from '@ingot/core/json';
import type { VersionDraft, VersionRecord } from '@ingot/core/registry/registry';
import type { Fact, Facts } from './conditions.ts';

/** What is judged: a version, or what is about to become one. */
export type Judged = Omit<VersionDraft, 'recipe' | 'labelFrom' | 'upload' | 'modelId' | 'retired'> &
  Partial<Pick<VersionRecord, 'model' | 'number' | 'stage' | 'status' | 'aliases' | 'publishedAt' | 'publishedBy'>>;

/** Says something of a version under a name: `scan`, `signatures`. Gives every value, none where there is none. */
export type FactSource = (judged: Judged, key: string) => readonly Fact[];

/** Sources of facts by the name that comes before the dot; the key is empty where there is no dot. */
export type FactSources = Readonly<Record<string, FactSource>>;

const one = (value: Fact | undefined): readonly Fact[] => (value === undefined ? [] : [value]);
const entry = (map: Readonly<Record<string, Fact>> | undefined, key: string): readonly Fact[] =>
  map !== undefined && Object.hasOwn(map, key) ? one(map[key]) : [];

const PLAIN: Readonly<Record<string, (judged: Judged) => readonly Fact[]>> = {
  name: ({ model }) => one(model),
  version: ({ number }) => one(number),
  number: ({ number }) => one(number),
  stage: ({ stage }) => one(stage),
  status: ({ status }) => one(status),
  flavor: ({ flavor }) => one(flavor),
  author: ({ author }) => one(author),
  label: ({ label }) => one(label),
  description: ({ description }) => one(description),
  manifest: ({ manifest }) => one(manifest),
  size: ({ sizeBytes }) => one(sizeBytes),
  scan: ({ scan }) => one(scan),
  published: ({ publishedAt }) => one(publishedAt),
  publisher: ({ publishedBy }) => one(publishedBy),
  aliases: ({ aliases = [] }) => aliases,
  parents: ({ lineage }) => lineage?.parents ?? [],
  run: ({ lineage }) => one(lineage?.run),
  commit: ({ lineage }) => one(lineage?.git?.commit),
  branch: ({ lineage }) => one(lineage?.git?.branch),
  dirty: ({ lineage }) => one(lineage?.git?.dirty),
  signature: ({ signature }) => one(signature !== undefined),
  executes_code: ({ serializer }) => one(serializer?.executesCode),
  python: ({ environment }) => one(environment?.python),
};

const KEYED: FactSources = {
  metrics: ({ metrics }, key) => entry(metrics, key),
  metric: ({ metrics }, key) => entry(metrics, key),
  tags: ({ tags }, key) => entry(tags, key),
  tag: ({ tags }, key) => entry(tags, key),
  params: ({ params }, key) => param(params, key),
  param: ({ params }, key) => param(params, key),
  git: ({ lineage }, key) => {
    const value = key === 'commit' || key === 'branch' || key === 'dirty' ? lineage?.git?.[key] : undefined;
    return one(value);
  },
  data: ({ lineage }, key) =>
    (lineage?.data ?? []).flatMap((each) =>
      one(key === 'name' || key === 'digest' || key === 'source' ? each[key] : undefined),
    ),
};

/** Makes the facts of a version, with those of its parents (`parents.metrics.auc`) and of further sources. */
export function factsOf(judged: Judged, parents: readonly Judged[] = [], sources: FactSources = {}): Facts {
  const of = (version: Judged, entity: string | undefined, key: string): readonly Fact[] => {
    if (entity === undefined) {
      const source = Object.hasOwn(sources, key) ? sources[key] : undefined;
      if (source !== undefined) return source(version, '');
      const plain = Object.hasOwn(PLAIN, key) ? PLAIN[key] : undefined;
      return plain === undefined ? entry(version.metrics, key) : plain(version);
    }
    const source = Object.hasOwn(sources, entity) ? sources[entity] : undefined;
    if (source !== undefined) return source(version, key);
    return Object.hasOwn(KEYED, entity) ? (KEYED[entity]?.(version, key) ?? []) : [];
  };
  return (entity, key) => {
    if (entity !== 'parents' && entity !== 'parent') return of(judged, entity, key);
    const [first = '', ...rest] = key.split('.');
    return parents.flatMap((parent) =>
      rest.length === 0 ? of(parent, undefined, first) : of(parent, first, rest.join('.')),
    );
  };
}

/** Nested parameters have keys with dots. */
function param(params: JsonValue | undefined, key: string): readonly Fact[] {
  if (!isJsonObject(params)) return [];
  if (Object.hasOwn(params, key)) return asFact(params[key]);
  const dot = key.indexOf('.');
  return dot < 0 ? [] : param(params[key.slice(0, dot)], key.slice(dot + 1));
}

function asFact(value: JsonValue | undefined): readonly Fact[] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [value];
  return value === undefined || value === null ? [] : [JSON.stringify(value)];
}
