import { compact } from '@ingot/core/registry/fields';
import type { HistoryEntry, Registry, VersionRecord, VersionSlim } from '@ingot/core/registry/registry';
import type { ModelName } from '@ingot/core/ref';
import type { Condition } from './checks.ts';
import { evaluate } from './evaluate.ts';
import { type Facts, factsOf, type FurtherFacts } from './facts.ts';
import type { RowsSource, Source } from './fields.ts';
import type { FoundVersion } from './found-version.ts';
import { planOf } from './plan.ts';
import { compareBy, type Sortable } from './sort.ts';

/** What is searched for in a registry that has no index. */
export interface RegistrySearch {
  readonly filter?: string | undefined;
  /** Default: what was published last comes first. */
  readonly sort?: string | undefined;
  /** Default: all. */
  readonly limit?: number;
  readonly now: Date;
  /** Reads which files a version has; asked only where the search cannot be answered without. */
  readonly filesOf: (version: VersionRecord) => Promise<NonNullable<FurtherFacts['files']>>;
  readonly signal?: AbortSignal;
}

type Read = Pick<Registry, 'models' | 'model' | 'version' | 'history'>;

/** Versions that were found, and whether there are more. */
export interface RegistryFindings {
  readonly items: readonly FoundVersion[];
  readonly isCut: boolean;
}

/**
 * Searches the versions of a registry without an index: reads of each model and version only as much as the search needs to
 * leave it out. Deleted versions are not found.
 * @throws IngotError `usage` as {@link planOf}, and what the registry throws.
 */
export async function searchRegistry(registry: Read, search: RegistrySearch): Promise<RegistryFindings> {
  const { signal, limit = Number.POSITIVE_INFINITY } = search;
  const plan = planOf(search);
  const needsTime = namesColumn(
    plan.condition,
    plan.sort.flatMap(({ sources }) => sources),
    'updated_at',
  );
  const options = signal === undefined ? {} : { signal };
  const found: (Sortable & { readonly version: FoundVersion })[] = [];
  for await (const { name } of registry.models(options)) {
    if (mayMatch(plan.condition, ofModel(name)) === false) continue;
    const { all, aliases, id } = await registry.model(name, options);
    const times = needsTime ? await timesOf(registry.history(name, options)) : undefined;
    for (const slim of all) {
      if (slim.status === 'deleted') continue;
      const named = Object.entries(aliases).flatMap(([alias, number]) => (number === slim.number ? [alias] : []));
      if (mayMatch(plan.condition, ofSlim({ slim, name, id, aliases: named })) === false) continue;
      const reference = { name, selector: { kind: 'version' as const, number: slim.number } };
      const record = await registry.version(reference, options);
      const updatedAt = times?.get(slim.number);
      const facts = await matched(plan.condition, record, { ...search, ...(updatedAt && { updatedAt }) });
      if (facts !== undefined)
        found.push({ modelId: id, number: slim.number, facts, version: foundOf(record, updatedAt) });
    }
  }
  found.sort(compareBy(plan.sort));
  return { items: found.slice(0, limit).map(({ version }) => version), isCut: found.length > limit };
}

function mayMatch(condition: Condition | undefined, facts: Facts): boolean | undefined {
  return condition === undefined ? undefined : evaluate(condition, facts);
}

/** What is known of a version that the condition is true of; undefined: it is not. */
async function matched(
  condition: Condition | undefined,
  record: VersionRecord,
  { filesOf, updatedAt }: Pick<RegistrySearch, 'filesOf'> & FurtherFacts,
): Promise<Facts | undefined> {
  const further = updatedAt === undefined ? {} : { updatedAt };
  const facts = factsOf(record, further);
  const outcome = condition === undefined || evaluate(condition, facts);
  if (outcome !== undefined) return outcome ? facts : undefined;
  const all = factsOf(record, { ...further, files: await filesOf(record) });
  return condition === undefined || evaluate(condition, all) === true ? all : undefined;
}

/** A model's name alone. */
function ofModel(name: ModelName): Facts {
  const values = (source: Source) => (source.kind === 'scalar' && source.column === 'name' ? [name] : undefined);
  return { values, texts: undefined };
}

interface SlimPlace {
  readonly slim: VersionSlim;
  readonly name: ModelName;
  readonly id: string;
  readonly aliases: readonly string[];
}

const SLIM_COLUMNS: ReadonlySet<string> = new Set([
  'name',
  'number',
  'manifest',
  'label',
  'status',
  'published_at',
  'made_at',
  'flavor',
  'size_bytes',
  'stage',
]);

/** What a listing tells of a version. */
function ofSlim({ slim, name, id, aliases }: SlimPlace): Facts {
  const place = { digest: slim.manifest, pack: '', offset: 0, length: 0 };
  const record = {
    ...slim,
    model: name,
    modelId: id,
    aliases,
    recipe: place,
    fileCount: 0,
    publishedBy: '',
    scan: 'not scanned' as const,
  };
  const facts = factsOf(record);
  const isKnown = (source: Source): boolean =>
    source.kind === 'scalar' ? SLIM_COLUMNS.has(source.column) : source.rows === 'aliases';
  return { values: (source) => (isKnown(source) ? facts.values(source) : undefined), texts: undefined };
}

const CHANGING: ReadonlySet<string> = new Set([
  'version-published',
  'version-updated',
  'version-retired',
  'version-deleted',
  'stage-set',
]);

/** When each version was changed last. */
async function timesOf(history: AsyncIterable<HistoryEntry>): Promise<ReadonlyMap<number, string>> {
  const times = new Map<number, string>();
  for await (const { kind, body, at } of history)
    if (CHANGING.has(kind) && typeof body.number === 'number') times.set(body.number, at);
  return times;
}

function namesColumn(condition: Condition | undefined, sorted: readonly Source[], column: string): boolean {
  const isIt = (source: Source | RowsSource): boolean => source.kind === 'scalar' && source.column === column;
  if (sorted.some(isIt)) return true;
  if (condition === undefined || condition.kind === 'word') return false;
  if (condition.kind === 'check') return condition.sources.some(isIt);
  const parts = condition.kind === 'not' ? [condition.of] : condition.of;
  return parts.some((part) => namesColumn(part, [], column));
}

function foundOf(record: VersionRecord, updatedAt: string | undefined): FoundVersion {
  const { model, modelId, number, manifest, label, status, stage, aliases, flavor, sizeBytes, description } = record;
  const { author, publishedAt, publishedBy, metrics = {}, tags = {} } = record;
  const found = { model, modelId, number, manifest, label, status, stage, aliases, flavor, sizeBytes, description };
  return compact({ ...found, author, publishedAt, publishedBy, updatedAt, metrics, tags });
}
