import type { ModelName } from '@ingot/core/ref';
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../../database/database.ts';
import type { Entry } from '../../tracking/context.ts';
import { grouped, inPieces } from '../../tracking/context.ts';
import { isReserved, noModel, noVersion, RESERVED_TAGS } from './registry-names.ts';
import { statement } from './statements.ts';
import type { VersionPlace } from './version-texts.ts';

type Index = Pick<Database, 'kind' | 'index'>;

/** What MLflow tells of a version that only the version's own events change. */
export interface VersionFacts {
  readonly modelId: string;
  readonly number: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly stage: string | null;
  readonly description: string | null;
  readonly runId: string | null;
  readonly tags: readonly Entry[];
  /** Where it was made from, as it was given; undefined for one that was pushed by other means. */
  readonly source?: string | undefined;
  readonly runLink?: string | undefined;
  readonly loggedModelId?: string | undefined;
}

/** A version as MLflow tells of it. */
export interface MlflowVersion extends VersionFacts {
  /** The model's name in the registry. */
  readonly model: string;
  /** The same as it was given. */
  readonly name: string;
  readonly aliases: readonly string[];
}

/** A model as MLflow tells of it. */
export interface MlflowModel {
  readonly id: string;
  readonly registryName: ModelName | string;
  readonly name: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly description: string | null;
  readonly tags: readonly Entry[];
  readonly aliases: readonly { readonly alias: string; readonly number: number }[];
  /** The newest version of each stage. */
  readonly latest: readonly MlflowVersion[];
}

/** A version's row, without what lies in other tables. */
export interface FactCells {
  readonly model_id: string;
  readonly number: number;
  readonly published_at: string;
  readonly updated_at: string;
  readonly stage: string | null;
  readonly description: string | null;
  readonly run: string | null;
}

/** The same with the model's names. */
export interface VersionCells extends FactCells {
  /** The model's name in the registry. */
  readonly model: string;
  readonly name: string;
}

interface VersionParts extends VersionCells {
  readonly part: 'tag' | 'alias' | 'none';
  readonly key: string | null;
  readonly value: string | null;
}

/** Columns of {@link VersionCells}, of a version `v` of a model `m`. */
const CELLS = `v.model_id, m.name as model, coalesce((
    select d.value from model_tags as d where d.model_id = m.id and d.key = '${RESERVED_TAGS.displayName}'), m.name) as name,
  v.number, v.published_at, v.updated_at, v.stage, v.description, v.run`;

/** The same for a query that is put together. */
export const VERSION_CELLS: RawBuilder<unknown> = sql.raw(CELLS);

// One row for each tag and each alias of the version, and one that says there is a version.
const PARTS = `
  select c.*, 'none' as part, null as key, null as value from c
  union all select c.*, 'tag', t.key, t.value from c join version_tags as t on t.model_id = c.model_id and t.number = c.number
  union all select c.*, 'alias', a.alias, null from c join aliases as a on a.model_id = c.model_id and a.number = c.number`;

const byNumber = statement<VersionParts>(`
  with c as (select ${CELLS} from models as m join versions as v on v.model_id = m.id
    where m.name = ? and m.closed = 0 and v.number = ? and v.status <> 'deleted') ${PARTS}`);

const byAlias = statement<VersionParts>(`
  with c as (select ${CELLS} from models as m join aliases as x on x.model_id = m.id
    join versions as v on v.model_id = m.id and v.number = x.number
    where m.name = ? and m.closed = 0 and x.alias = ? and v.status <> 'deleted') ${PARTS}`);

/** Gives a version. One query. Throws `version-not-found`; `asked` is the name in its words. */
export async function versionOf(
  database: Index,
  name: ModelName,
  number: number,
  asked: string = name,
): Promise<MlflowVersion> {
  const version = assembled(await byNumber(database, [name, number]));
  if (version === undefined) throw noVersion(asked, number);
  return version;
}

/** Gives the version that an alias names; undefined when it names none. One query. */
export async function versionAt(database: Index, name: ModelName, alias: string): Promise<MlflowVersion | undefined> {
  return assembled(await byAlias(database, [name, alias]));
}

function assembled(rows: readonly VersionParts[]): MlflowVersion | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  const tags = rows.flatMap(({ part, key, value }) =>
    part === 'tag' && key !== null ? [{ key, value: value ?? '' }] : [],
  );
  const aliases = rows.flatMap(({ part, key }) => (part === 'alias' && key !== null ? [key] : []));
  return versionFrom(first, tags, aliases.sort());
}

function versionFrom(row: VersionCells, tags: readonly Entry[], aliases: readonly string[]): MlflowVersion {
  const { model, name } = row;
  return { ...factsFrom(row, tags), model, name, aliases };
}

/** What a version's row and its tags say. */
export function factsFrom(row: FactCells, tags: readonly Entry[]): VersionFacts {
  const { model_id: modelId, number, published_at, updated_at, stage, description, run: runId } = row;
  const reserved = new Map(tags.map(({ key, value }) => [key, value]));
  return {
    modelId,
    number,
    createdMs: Date.parse(published_at),
    updatedMs: Date.parse(updated_at),
    stage,
    description,
    runId,
    tags: tags.filter(({ key }) => !isReserved(key)).sort(byKey),
    source: reserved.get(RESERVED_TAGS.source),
    runLink: reserved.get(RESERVED_TAGS.runLink),
    loggedModelId: reserved.get(RESERVED_TAGS.modelId),
  };
}

function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : 1;
}

/** A model's name in the registry, and as it was given. */
export interface ModelNames {
  readonly id: string;
  readonly model: string;
  readonly name: string;
}

/** Gives the names of some models. One query. */
export function namesOf(database: Index, ids: readonly string[]): Promise<readonly ModelNames[]> {
  return OF_MODELS[database.kind].names(database, [JSON.stringify(ids)]);
}

/** Gives the aliases of some models, by name. One query. */
export function aliasesOf(database: Index, ids: readonly string[]): Promise<readonly AliasRow[]> {
  return OF_MODELS[database.kind].aliases(database, [JSON.stringify(ids)]);
}

/** A version's facts with the event that changed it last before they were read. */
export type PlacedFacts = VersionFacts & { readonly place: VersionPlace };

/** Gives what some versions say: two queries for any number of them. */
export async function versionFacts(database: Index, places: readonly VersionPlace[]): Promise<readonly PlacedFacts[]> {
  if (places.length === 0) return [];
  const asked = JSON.stringify(places.map(({ model_id, number }) => [model_id, number]));
  const { cells, tags } = OF_PLACES[database.kind];
  const rows = await cells(database, [asked]);
  const tagsOf = grouped(await tags(database, [asked]), placeOf);
  return rows.map((row) => {
    const { model_id, number, changed_seq } = row;
    const mine = (tagsOf.get(placeOf(row)) ?? []).map(({ key, value }) => ({ key, value }));
    return { ...factsFrom(row, mine), place: { model_id, number, changed_seq } };
  });
}

/** Adds tags and aliases to versions: two queries for any number of them, in the order given. */
export async function fullVersions(database: Index, rows: readonly VersionCells[]): Promise<readonly MlflowVersion[]> {
  if (rows.length === 0) return [];
  const places = JSON.stringify(rows.map(({ model_id, number }) => [model_id, number]));
  const { tags, aliases } = OF_PLACES[database.kind];
  const tagsOf = grouped(await tags(database, [places]), placeOf);
  const aliasesOf = grouped(await aliases(database, [places]), placeOf);
  return rows.map((row) => {
    const place = placeOf(row);
    const named = (aliasesOf.get(place) ?? []).map(({ alias }) => alias).sort();
    return versionFrom(
      row,
      (tagsOf.get(place) ?? []).map(({ key, value }) => ({ key, value })),
      named,
    );
  });
}

interface TagRow extends Entry {
  readonly model_id: string;
  readonly number: number;
}

interface AliasRow {
  readonly model_id: string;
  readonly number: number;
  readonly alias: string;
}

// All places are one parameter: a text of thousands of them would be made, and read, for each number of them.
const OF_PLACES = {
  sqlite: ofPlaces(`select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)`),
  postgres: ofPlaces(
    `select place ->> 0, (place ->> 1)::bigint from jsonb_array_elements(cast(? as jsonb)) as e(place)`,
  ),
} as const;

const OF_MODELS = {
  sqlite: ofModels('select value from json_each(?)'),
  postgres: ofModels('select e from jsonb_array_elements_text(cast(? as jsonb)) as e'),
} as const;

function ofModels(ids: string) {
  const models = `with p(id) as (${ids})`;
  const name = `(select d.value from model_tags as d where d.model_id = m.id and d.key = '${RESERVED_TAGS.displayName}')`;
  return {
    names: statement<ModelNames>(`${models} select m.id, m.name as model, coalesce(${name}, m.name) as name
      from p cross join models as m where m.id = p.id and m.name is not null`),
    aliases: statement<AliasRow>(`${models} select a.model_id, a.number, a.alias
      from p cross join aliases as a where a.model_id = p.id order by a.alias`),
  };
}

function ofPlaces(places: string) {
  const page = `with p(model_id, number) as (${places})`;
  return {
    cells: statement<FactCells & VersionPlace>(`${page} select v.model_id, v.number, v.changed_seq, v.published_at,
      v.updated_at, v.stage, v.description, v.run from p cross join versions as v
      where v.model_id = p.model_id and v.number = p.number`),
    tags: statement<TagRow>(`${page} select t.model_id, t.number, t.key, t.value from p cross join version_tags as t
      where t.model_id = p.model_id and t.number = p.number`),
    aliases: statement<AliasRow>(`${page} select a.model_id, a.number, a.alias from p cross join aliases as a
      where a.model_id = p.model_id and a.number = p.number`),
  };
}

function placeOf({ model_id, number }: { readonly model_id: string; readonly number: number }): string {
  return `${model_id} ${number}`;
}

/** A model's row. */
export interface ModelCells {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly description: string | null;
}

const modelByName = statement<ModelCells>(`
  select id, name, created_at, updated_at, description from models where name = ? and closed = 0`);

/** Gives a model with its newest versions. Throws `model-not-found`; `asked` is the name in its words. */
export async function modelOf(database: Index, name: ModelName, asked: string = name): Promise<MlflowModel> {
  const [row] = await modelByName(database, [name]);
  if (row === undefined) throw noModel(asked);
  const [model] = await fullModels(database, [row]);
  if (model === undefined) throw noModel(asked);
  return model;
}

/** Says whether there is such a model. Throws `model-not-found`. */
export async function requireModel(database: Index, name: ModelName, asked: string = name): Promise<ModelCells> {
  const [row] = await modelByName(database, [name]);
  if (row === undefined) throw noModel(asked);
  return row;
}

/** Stages that MLflow knows; the first is that of a version in none. */
export const MLFLOW_STAGES = ['None', 'Staging', 'Production', 'Archived'] as const;

// One look into an index for each stage and model, however many versions there are.
const NEWEST = [null, 'Staging', 'Production', 'Archived'].map((stage) => {
  const isStage = stage === null ? 'v.stage is null' : `v.stage = '${stage}'`;
  return `(select v.number from versions as v where v.model_id = m.id and ${isStage} and v.status <> 'deleted'
    order by v.number desc limit 1)`;
});

/** Adds tags, aliases and the newest versions of each stage to models: six queries for up to 500 of them, in the order given. */
export async function fullModels(database: Index, rows: readonly ModelCells[]): Promise<readonly MlflowModel[]> {
  const models: MlflowModel[] = [];
  for (const piece of inPieces(rows)) models.push(...(await filledModels(database, piece)));
  return models;
}

async function filledModels(database: Index, rows: readonly ModelCells[]): Promise<readonly MlflowModel[]> {
  const { index } = database;
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const tags = await index.selectFrom('model_tags').selectAll().where('model_id', 'in', ids).orderBy('key').execute();
  const aliases = await index
    .selectFrom('aliases')
    .select(['model_id', 'alias', 'number'])
    .where('model_id', 'in', ids)
    .orderBy('alias')
    .execute();
  const latest = grouped(await newestVersions(database, ids), ({ modelId }) => modelId);
  const tagsOf = grouped(tags, ({ model_id }) => model_id);
  const aliasesOf = grouped(aliases, ({ model_id }) => model_id);
  return rows.map(({ id, name, created_at, updated_at, description }) => {
    const own = tagsOf.get(id) ?? [];
    return {
      id,
      registryName: name,
      name: own.find(({ key }) => key === RESERVED_TAGS.displayName)?.value ?? name,
      createdMs: Date.parse(created_at),
      updatedMs: Date.parse(updated_at),
      description,
      tags: own.filter(({ key }) => !isReserved(key)).map(({ key, value }) => ({ key, value })),
      aliases: (aliasesOf.get(id) ?? []).map(({ alias, number }) => ({ alias, number })),
      latest: latest.get(id) ?? [],
    };
  });
}

/** Gives the newest version of each stage of some models, the lowest number first. */
export async function newestVersions(database: Index, ids: readonly string[]): Promise<readonly MlflowVersion[]> {
  const newest = sql.raw(
    NEWEST.map(
      (number) => `select m.id, ${number} as number from models as m where m.id in (select id from wanted)`,
    ).join(' union all '),
  );
  const wanted = sql`wanted(id) as (values ${sql.join(ids.map((id, at) => (at === 0 ? sql`(cast(${id} as text))` : sql`(${id})`)))})`;
  const { rows } = await sql<VersionCells>`
    with ${wanted}, newest as (${newest})
    select ${VERSION_CELLS} from newest as n join models as m on m.id = n.id
    join versions as v on v.model_id = n.id and v.number = n.number
    order by v.model_id, v.number`.execute(database.index);
  return fullVersions(database, rows);
}
