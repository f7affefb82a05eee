import { type ModelName, parseModelName, type Selector } from '@ingot/core/ref';
import type { ModelSummary, ModelView, VersionRecord, VersionSlim } from '@ingot/core/registry/registry';
import { compact } from '@ingot/core/registry/fields';
import type { Kysely, Selectable } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { HotModel } from './hot-models.ts';
import { NAMES, placeOf } from './projector.ts';
import type { ModelRow } from './tables.ts';
import type { StoredRecord } from './version-rows.ts';

type Index = Kysely<IndexTables>;

/** Reads what is kept hot of the model that has a name now: first how far the logs are, then what they say, which may only be newer. */
export async function readHotModel(index: Index, name: ModelName): Promise<HotModel | undefined> {
  const namesSeq = (await placeOf(index, NAMES)).seq;
  const named = index.selectFrom('models').where('name', '=', name).where('closed', '=', 0);
  const row = await named.select('id').executeTakeFirst();
  if (row === undefined) return undefined;
  const { seq } = await placeOf(index, row.id);
  const model = await index
    .selectFrom('models')
    .select(['latest', 'last_number'])
    .where('id', '=', row.id)
    .executeTakeFirst();
  const aliases = await index
    .selectFrom('aliases')
    .select(['alias', 'number'])
    .where('model_id', '=', row.id)
    .execute();
  return {
    id: row.id,
    name,
    seq,
    namesSeq,
    latest: model?.latest ?? null,
    lastNumber: model?.last_number ?? 0,
    aliases: new Map(aliases.map(({ alias, number }) => [alias, number])),
    resolved: new Map(),
    records: new Map(),
  };
}

/** Reads the record of the version that a selector means; undefined when there is none. */
export async function readSelected(
  index: Index,
  model: HotModel,
  selector: Selector,
): Promise<StoredRecord | undefined> {
  if (selector.kind === 'latest') return numbered(index, model, model.latest ?? undefined);
  if (selector.kind === 'version') return numbered(index, model, selector.number);
  if (selector.kind === 'alias') return numbered(index, model, model.aliases.get(selector.alias));
  const rows = index
    .selectFrom('versions')
    .select('record')
    .where('model_id', '=', model.id)
    .where('status', '<>', 'deleted')
    .limit(1);
  const row =
    selector.kind === 'label'
      ? await rows
          .where('label', '=', selector.label)
          .where('label_shadowed', '=', 0)
          .orderBy('number', 'desc')
          .executeTakeFirst()
      : // `active` sorts before `retired`.
        await rows
          .where('manifest', '=', selector.digest)
          .orderBy('status')
          .orderBy('number', 'desc')
          .executeTakeFirst();
  return row && parsed(row.record);
}

async function numbered(index: Index, model: HotModel, number: number | undefined): Promise<StoredRecord | undefined> {
  if (number === undefined) return undefined;
  const row = await index
    .selectFrom('versions')
    .select('record')
    .where('model_id', '=', model.id)
    .where('number', '=', number)
    .where('status', '<>', 'deleted')
    .executeTakeFirst();
  return row && parsed(row.record);
}

function parsed(record: string): StoredRecord {
  const stored: StoredRecord = JSON.parse(record);
  return stored;
}

/** A version's record with what other rows know: the model's name, and the aliases that name it. */
export function recordOf(model: Pick<HotModel, 'name' | 'aliases'>, record: StoredRecord): VersionRecord {
  const named = [...model.aliases].flatMap(([alias, number]) => (number === record.number ? [alias] : []));
  return { ...record, model: model.name, aliases: named.sort() };
}

/** Reads a model with all its versions, newest first. */
export async function readView(index: Index, model: HotModel): Promise<ModelView | undefined> {
  const row = await index.selectFrom('models').selectAll().where('id', '=', model.id).executeTakeFirst();
  if (row === undefined) return undefined;
  const [summary] = await summariesOf(index, [row]);
  return summary && { ...summary, all: await readSlims(index, model.id) };
}

async function readSlims(index: Index, id: string): Promise<VersionSlim[]> {
  const rows = await index
    .selectFrom('versions')
    .select('record')
    .where('model_id', '=', id)
    .orderBy('number', 'desc')
    .execute();
  return rows.map(({ record }) => slimOf(parsed(record)));
}

/** What a listing says of a version. */
export function slimOf(record: StoredRecord): VersionSlim {
  const { number, manifest, label, status, publishedAt, createdAt, flavor, sizeBytes, metrics, stage } = record;
  return compact({ number, manifest, label, status, publishedAt, createdAt, flavor, sizeBytes, metrics, stage });
}

const PAGE = 200;

/** Streams all models that have a version, by name. */
export async function* readSummaries(index: Index): AsyncGenerator<ModelSummary> {
  for (let after = ''; ; ) {
    const rows = await index
      .selectFrom('models')
      .selectAll()
      .where('name', '>', after)
      .where('closed', '=', 0)
      .where('versions', '>', 0)
      .orderBy('name')
      .limit(PAGE)
      .execute();
    yield* await summariesOf(index, rows);
    const last = rows.at(-1)?.name;
    if (rows.length < PAGE || last === undefined || last === null) return;
    after = last;
  }
}

/** What a listing says of some models: four queries for any number of them. Models without a name are left out. */
export async function summariesOf(index: Index, rows: readonly Selectable<ModelRow>[]): Promise<ModelSummary[]> {
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const tags = await index.selectFrom('model_tags').selectAll().where('model_id', 'in', ids).execute();
  const aliases = await index
    .selectFrom('aliases')
    .select(['model_id', 'alias', 'number'])
    .where('model_id', 'in', ids)
    .orderBy('alias')
    .execute();
  const newest = await index
    .selectFrom('models')
    .innerJoin('versions', (join) =>
      join.onRef('versions.model_id', '=', 'models.id').onRef('versions.number', '=', 'models.latest'),
    )
    .select(['models.id', 'versions.record'])
    .where('models.id', 'in', ids)
    .execute();
  const tagsOf = grouped(tags, ({ model_id, key, value }) => [model_id, key, value]);
  const aliasesOf = grouped(aliases, ({ model_id, alias, number }) => [model_id, alias, number]);
  const latestOf = new Map(newest.map(({ id, record }) => [id, slimOf(parsed(record))]));
  return rows.flatMap(({ id, name, created_at, updated_at, description, newest_description, versions }) => {
    if (name === null) return [];
    const summary = compact({
      id,
      createdAt: created_at,
      updatedAt: updated_at,
      description: description ?? newest_description ?? undefined,
      tags: tagsOf.get(id) ?? {},
      aliases: aliasesOf.get(id) ?? {},
      versions,
      latest: latestOf.get(id),
    });
    return [{ ...summary, name: parseModelName(name) }];
  });
}

function grouped<Row, Value>(
  rows: readonly Row[],
  entry: (row: Row) => readonly [string, string, Value],
): Map<string, Record<string, Value>> {
  const groups = new Map<string, [string, Value][]>();
  for (const row of rows) {
    const [id, key, value] = entry(row);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [[key, value]]);
    else group.push([key, value]);
  }
  return new Map([...groups].map(([id, entries]) => [id, Object.fromEntries(entries)]));
}

/** Versions that an alias named, the latest first, each once, without the one it names now. */
export async function pastTargets(index: Index, id: string, alias: string): Promise<readonly number[] | undefined> {
  const moves = await index
    .selectFrom('alias_moves')
    .select('to_number')
    .where('model_id', '=', id)
    .where('alias', '=', alias)
    .orderBy('seq', 'desc')
    .execute();
  const [now, ...before] = moves.map(({ to_number }) => to_number);
  if (now === undefined) return undefined;
  return [...new Set(before)].filter((number): number is number => number !== null && number !== now);
}

/** The first of some versions that is active. */
export async function firstActive(index: Index, id: string, numbers: readonly number[]): Promise<number | undefined> {
  if (numbers.length === 0) return undefined;
  const rows = await index
    .selectFrom('versions')
    .select('number')
    .where('model_id', '=', id)
    .where('status', '=', 'active')
    .where('number', 'in', numbers)
    .execute();
  const active = new Set(rows.map(({ number }) => number));
  return numbers.find((number) => active.has(number));
}
