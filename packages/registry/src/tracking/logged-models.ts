import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { OwnTables } from '../database/own-tables.ts';
import { type Entry, grouped, inPieces, lastOfEach, newId, nowMs, type TrackingContext } from './context.ts';
import { activeExperiment } from './experiments.ts';
import { checkKey, checkLength, LENGTHS } from './limits.ts';
import { type MetricPoint, pointOf } from './run-data.ts';
import { randomRunName } from './run-names.ts';
import type { LoggedModelRow } from './tables.ts';

/** How far a logged model is. */
export const LOGGED_MODEL_STATUSES = ['PENDING', 'READY', 'UPLOAD_FAILED'] as const;

/** A metric of a logged model: which run logged it, and on which data. */
export interface LoggedModelMetric extends MetricPoint {
  readonly runId: string;
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}

/** A logged model with all that is said of it. */
export interface LoggedModel {
  readonly row: LoggedModelRow;
  readonly tags: readonly Entry[];
  readonly params: readonly Entry[];
  readonly metrics: readonly LoggedModelMetric[];
}

/** What a logged model is made of. */
export interface LoggedModelDraft {
  readonly experimentId: string;
  /** Default: a random one. */
  readonly name?: string | undefined;
  readonly modelType?: string | undefined;
  readonly runId?: string | undefined;
  readonly params: readonly Entry[];
  readonly tags: readonly Entry[];
}

const BAD_CHARACTERS = /[/:.%"'\0]/;

/** Makes a logged model whose files are still to come. Throws `not-found`, `usage`. */
export async function createLoggedModel(context: TrackingContext, draft: LoggedModelDraft): Promise<LoggedModel> {
  const { params, modelType, runId } = draft;
  checkModelName(draft.name);
  checkParams(params);
  checkTags(draft.tags);
  const experiment = await activeExperiment(context, draft.experimentId);
  const id = `m-${newId(context)}`;
  const at = nowMs(context);
  const row: LoggedModelRow = {
    id,
    experiment_id: experiment.id,
    name: draft.name || randomRunName(context.random),
    artifact_location: `${experiment.artifact_location}/models/${id}/artifacts`,
    created_ms: at,
    updated_ms: at,
    status: 'PENDING',
    status_message: null,
    model_type: modelType || null,
    run_id: runId || null,
    lifecycle: 'active',
  };
  const tags = lastOfEach(draft.tags);
  await context.database.own.transaction().execute(async (own) => {
    await own.insertInto('tracking_models').values(row).execute();
    await writeParams(own, id, params);
    await writeTags(own, id, tags);
  });
  return { row, tags, params, metrics: [] };
}

/** Gives a logged model. Throws `not-found`. */
export async function getLoggedModel(context: TrackingContext, id: string): Promise<LoggedModel> {
  const row = await loggedModelRow(context, id);
  const [model] = await fullLoggedModels(context, [row]);
  if (model === undefined) throw noModel(id);
  return model;
}

/** Gives the row of a logged model that is not deleted; also what holds its artifacts needs. Throws `not-found`. */
export async function loggedModelRow({ database }: TrackingContext, id: string): Promise<LoggedModelRow> {
  const row = await database.own
    .selectFrom('tracking_models')
    .selectAll()
    .where('id', '=', id)
    .where('lifecycle', '=', 'active')
    .executeTakeFirst();
  if (row === undefined) throw noModel(id);
  return row;
}

/** Says that a logged model's files are there, or will not come. Throws `not-found`. */
export async function finalizeLoggedModel(context: TrackingContext, id: string, status: string): Promise<LoggedModel> {
  await loggedModelRow(context, id);
  await context.database.own
    .updateTable('tracking_models')
    .set({ status, updated_ms: nowMs(context) })
    .where('id', '=', id)
    .execute();
  return getLoggedModel(context, id);
}

/** Sets tags of a logged model. Throws `not-found`, `usage`. */
export async function setLoggedModelTags(context: TrackingContext, id: string, tags: readonly Entry[]): Promise<void> {
  checkTags(tags);
  await loggedModelRow(context, id);
  await writeTags(context.database.own, id, lastOfEach(tags));
}

/** Removes a tag of a logged model. Throws `not-found` when it has none of that name. */
export async function deleteLoggedModelTag(context: TrackingContext, id: string, key: string): Promise<void> {
  await loggedModelRow(context, id);
  const { numDeletedRows } = await context.database.own
    .deleteFrom('tracking_model_tags')
    .where('model_id', '=', id)
    .where('key', '=', key)
    .executeTakeFirst();
  if (Number(numDeletedRows) > 0) return;
  throw new IngotError('not-found', `No tag with key '${key.slice(0, 250)}' found for model with ID '${id}'.`);
}

/** Adds params to a logged model. Throws `not-found`, `usage` for one that has another value already. */
export async function logLoggedModelParams(
  context: TrackingContext,
  id: string,
  params: readonly Entry[],
): Promise<void> {
  checkParams(params);
  await loggedModelRow(context, id);
  const before = await context.database.own
    .selectFrom('tracking_model_params')
    .select(['key', 'value'])
    .where('model_id', '=', id)
    .execute();
  const known = new Map(before.map(({ key, value }) => [key, value]));
  const other = params.find(({ key, value }) => known.has(key) && known.get(key) !== value);
  if (other !== undefined)
    throw new IngotError(
      'usage',
      `Changing param values is not allowed: '${other.key}' of ${id} has another value already.`,
    );
  await writeParams(
    context.database.own,
    id,
    params.filter(({ key }) => !known.has(key)),
  );
}

/** Deletes a logged model; its files are kept as long as something else names them. Throws `not-found`. */
export async function deleteLoggedModel(context: TrackingContext, id: string): Promise<void> {
  await loggedModelRow(context, id);
  await context.database.own
    .updateTable('tracking_models')
    .set({ lifecycle: 'deleted', updated_ms: nowMs(context) })
    .where('id', '=', id)
    .execute();
}

/** Adds to logged models what is said of them: three queries for up to 500 models, in the order given. */
export async function fullLoggedModels(
  context: TrackingContext,
  rows: readonly LoggedModelRow[],
): Promise<readonly LoggedModel[]> {
  const models: LoggedModel[] = [];
  for (const piece of inPieces(rows)) models.push(...(await filled(context, piece)));
  return models;
}

async function filled(
  { database: { own } }: TrackingContext,
  rows: readonly LoggedModelRow[],
): Promise<readonly LoggedModel[]> {
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const [tags, params, metrics] = await Promise.all([
    own.selectFrom('tracking_model_tags').selectAll().where('model_id', 'in', ids).orderBy('key').execute(),
    own.selectFrom('tracking_model_params').selectAll().where('model_id', 'in', ids).orderBy('key').execute(),
    own
      .selectFrom('tracking_model_metrics')
      .selectAll()
      .where('model_id', 'in', ids)
      .orderBy('key')
      .orderBy('timestamp_ms')
      .orderBy('step')
      .execute(),
  ]);
  const byModel = {
    tags: grouped(tags, ({ model_id }) => model_id),
    params: grouped(params, ({ model_id }) => model_id),
    metrics: grouped(metrics, ({ model_id }) => model_id),
  };
  return rows.map((row) => ({
    row,
    tags: (byModel.tags.get(row.id) ?? []).map(({ key, value }) => ({ key, value })),
    params: (byModel.params.get(row.id) ?? []).map(({ key, value }) => ({ key, value })),
    metrics: (byModel.metrics.get(row.id) ?? []).map(({ run_id, dataset_name, dataset_digest, ...point }) => ({
      ...pointOf(point),
      runId: run_id,
      ...(dataset_name === null ? {} : { datasetName: dataset_name }),
      ...(dataset_digest === null ? {} : { datasetDigest: dataset_digest }),
    })),
  }));
}

async function writeTags(own: Kysely<OwnTables>, id: string, tags: readonly Entry[]): Promise<void> {
  for (const piece of inPieces(tags))
    await own
      .insertInto('tracking_model_tags')
      .values(piece.map(({ key, value }) => ({ model_id: id, key, value })))
      .onConflict((conflict) =>
        conflict.columns(['model_id', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })),
      )
      .execute();
}

async function writeParams(own: Kysely<OwnTables>, id: string, params: readonly Entry[]): Promise<void> {
  for (const piece of inPieces(params))
    await own
      .insertInto('tracking_model_params')
      .values(piece.map(({ key, value }) => ({ model_id: id, key, value })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

function checkModelName(name: string | undefined): void {
  if (name === undefined || name === '') return;
  checkLength('Model name', name, LENGTHS.experimentName, 'name');
  if (!BAD_CHARACTERS.test(name)) return;
  throw new IngotError(
    'usage',
    `Invalid model name ('${name}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
  );
}

function checkParams(params: readonly Entry[]): void {
  for (const [at, { key, value }] of params.entries()) {
    checkKey('parameter', key, `params[${at}].key`);
    checkLength('Param value', value, LENGTHS.paramValue, `params[${at}].value`);
  }
}

function checkTags(tags: readonly Entry[]): void {
  for (const [at, { key, value }] of tags.entries()) {
    checkKey('tag', key, `tags[${at}].key`);
    checkLength('Tag value', value, LENGTHS.tagValue, `tags[${at}].value`);
  }
}

function noModel(id: string): IngotError {
  return new IngotError('not-found', `Logged model with ID '${id.slice(0, 256)}' not found.`);
}
