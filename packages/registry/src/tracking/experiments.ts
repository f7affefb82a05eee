import { IngotError } from '@ingot/core/errors';
import type { Insertable } from 'kysely';
import { checkArtifactLocation } from './artifact-location.ts';
import { type Entry, inPieces, lastOfEach, nowMs, type TrackingContext } from './context.ts';
import { checkKey, checkLength, invalid, LENGTHS } from './limits.ts';
import type { ExperimentRow, Lifecycle } from './tables.ts';

/** An experiment with its tags. */
export interface Experiment extends Omit<ExperimentRow, 'id'> {
  readonly id: string;
  readonly tags: readonly Entry[];
}

/** The experiment of runs that name none. */
export const DEFAULT_EXPERIMENT = '0';

/** Makes the experiment of runs that name none, where it is not there. */
export async function ensureDefaultExperiment(context: TrackingContext): Promise<void> {
  const row = newRow(context, Number(DEFAULT_EXPERIMENT), 'Default');
  await context.database.own
    .insertInto('tracking_experiments')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** What an experiment is made of. */
export interface ExperimentDraft {
  readonly name: string;
  /** Default: a directory of this server. */
  readonly artifactLocation?: string | undefined;
  readonly tags?: readonly Entry[];
}

/**
 * Makes an experiment and gives its id.
 * @throws IngotError `name-taken`, `usage`.
 */
export async function createExperiment(context: TrackingContext, draft: ExperimentDraft): Promise<string> {
  const { name, artifactLocation, tags = [] } = draft;
  checkName(name);
  if (artifactLocation !== undefined && artifactLocation !== '') checkArtifactLocation(artifactLocation);
  for (const tag of tags) checkExperimentTag(tag);
  return context.database.own.transaction().execute(async (own) => {
    const taken = await own
      .selectFrom('tracking_experiments')
      .select('lifecycle')
      .where('name', '=', name)
      .executeTakeFirst();
    if (taken !== undefined) throw nameTaken(name, taken.lifecycle);
    const { last } = await own
      .selectFrom('tracking_experiments')
      .select((eb) => eb.fn.max('id').as('last'))
      .executeTakeFirstOrThrow();
    const id = (last ?? 0) + 1;
    const row = newRow(context, id, name, artifactLocation);
    const written = await own
      .insertInto('tracking_experiments')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (Number(written.numInsertedOrUpdatedRows) !== 1)
      throw new IngotError('unavailable', `somebody else made an experiment at the same time; try again`);
    for (const piece of inPieces(lastOfEach(tags)))
      await own
        .insertInto('tracking_experiment_tags')
        .values(piece.map(({ key, value }) => ({ experiment_id: id, key, value })))
        .execute();
    return String(id);
  });
}

/** Gives an experiment, also a deleted one. Throws `not-found`. */
export async function getExperiment(context: TrackingContext, id: string): Promise<Experiment> {
  const row = await context.database.own
    .selectFrom('tracking_experiments')
    .selectAll()
    .where('id', '=', experimentNumber(id))
    .executeTakeFirst();
  if (row === undefined) throw noExperiment(id);
  const [experiment] = await withTags(context, [row]);
  return experiment ?? noExperimentError(id);
}

/** Gives an experiment by its name, also a deleted one. Throws `not-found`. */
export async function getExperimentByName(context: TrackingContext, name: string): Promise<Experiment> {
  const row = await context.database.own
    .selectFrom('tracking_experiments')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst();
  const [experiment] = row === undefined ? [] : await withTags(context, [row]);
  if (experiment !== undefined) return experiment;
  throw new IngotError('not-found', `Could not find experiment with name '${name.slice(0, 500)}'`);
}

/** Renames an experiment. Throws `not-found`, `name-taken`, `usage` for a deleted one. */
export async function renameExperiment(context: TrackingContext, id: string, name: string): Promise<void> {
  checkName(name);
  await context.database.own.transaction().execute(async (own) => {
    const key = experimentNumber(id);
    const row = await own
      .selectFrom('tracking_experiments')
      .select('lifecycle')
      .where('id', '=', key)
      .executeTakeFirst();
    if (row === undefined) throw noExperiment(id);
    if (row.lifecycle !== 'active') throw notActive(id);
    const other = await own
      .selectFrom('tracking_experiments')
      .select(['id', 'lifecycle'])
      .where('name', '=', name)
      .executeTakeFirst();
    if (other !== undefined && other.id !== key) throw nameTaken(name, other.lifecycle);
    await own
      .updateTable('tracking_experiments')
      .set({ name, updated_ms: nowMs(context) })
      .where('id', '=', key)
      .execute();
  });
}

/** Deletes an experiment with its runs, or brings it back. Throws `not-found` when it is not in the other state. */
export async function setExperimentLifecycle(context: TrackingContext, id: string, to: Lifecycle): Promise<void> {
  const at = nowMs(context);
  await context.database.own.transaction().execute(async (own) => {
    const key = experimentNumber(id);
    const { numUpdatedRows } = await own
      .updateTable('tracking_experiments')
      .set({ lifecycle: to, updated_ms: at })
      .where('id', '=', key)
      .where('lifecycle', '=', to === 'deleted' ? 'active' : 'deleted')
      .executeTakeFirst();
    if (Number(numUpdatedRows) === 0) throw noExperiment(id);
    await own
      .updateTable('tracking_runs')
      .set({ lifecycle: to, deleted_ms: to === 'deleted' ? at : null })
      .where('experiment_id', '=', key)
      .where('lifecycle', '!=', to)
      .execute();
  });
}

/** Sets a tag of an experiment. Throws `not-found`, `usage`. */
export async function setExperimentTag(context: TrackingContext, id: string, tag: Entry): Promise<void> {
  checkExperimentTag(tag);
  await activeExperiment(context, id);
  const { key, value } = tag;
  await context.database.own
    .insertInto('tracking_experiment_tags')
    .values({ experiment_id: experimentNumber(id), key, value })
    .onConflict((conflict) => conflict.columns(['experiment_id', 'key']).doUpdateSet({ value }))
    .execute();
}

/** Removes a tag of an experiment. Throws `not-found` when it has none of that name. */
export async function deleteExperimentTag(context: TrackingContext, id: string, key: string): Promise<void> {
  await activeExperiment(context, id);
  const { numDeletedRows } = await context.database.own
    .deleteFrom('tracking_experiment_tags')
    .where('experiment_id', '=', experimentNumber(id))
    .where('key', '=', key)
    .executeTakeFirst();
  if (Number(numDeletedRows) > 0) return;
  throw new IngotError('not-found', `No tag with name: ${key.slice(0, 250)} in experiment with id ${id}`);
}

/** Gives an experiment's row; refuses a deleted one. Throws `not-found`, `usage`. */
export async function activeExperiment(context: TrackingContext, id: string): Promise<ExperimentRow> {
  const row = await context.database.own
    .selectFrom('tracking_experiments')
    .selectAll()
    .where('id', '=', experimentNumber(id))
    .executeTakeFirst();
  if (row === undefined) throw noExperiment(id);
  if (row.lifecycle !== 'active') throw notActive(id);
  return row;
}

/** Adds the tags of all, in one query a piece. */
export async function withTags(
  { database }: TrackingContext,
  rows: readonly ExperimentRow[],
): Promise<readonly Experiment[]> {
  const tags = new Map<number, Entry[]>(rows.map(({ id }) => [id, []]));
  for (const piece of inPieces(rows.map(({ id }) => id))) {
    const found = await database.own
      .selectFrom('tracking_experiment_tags')
      .selectAll()
      .where('experiment_id', 'in', piece)
      .orderBy('key')
      .execute();
    for (const { experiment_id, key, value } of found) tags.get(experiment_id)?.push({ key, value });
  }
  return rows.map((row) => ({ ...row, id: String(row.id), tags: tags.get(row.id) ?? [] }));
}

/** Reads the id of an experiment. Throws `usage`. */
export function experimentNumber(id: string): number {
  const number = /^\d{1,15}$/.test(id) ? Number(id) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new IngotError('usage', `Invalid experiment ID '${id.slice(0, 100)}'. Experiment ID must be a valid integer.`);
}

function newRow(context: TrackingContext, id: number, name: string, location?: string): Insertable<ExperimentRow> {
  const at = nowMs(context);
  const isGiven = location !== undefined && location !== '';
  return {
    id,
    name,
    artifact_location: isGiven ? location.replace(/\/+$/, '') : `mlflow-artifacts:/${id}`,
    lifecycle: 'active',
    created_ms: at,
    updated_ms: at,
  };
}

function checkName(name: string): void {
  if (name === '') throw new IngotError('usage', "Invalid experiment name: ''");
  checkLength('Experiment name', name, LENGTHS.experimentName, 'name');
  // Names are shown, and never parts of a path.
  if (/\p{Cc}/u.test(name)) throw invalid('name', name, 'it holds control characters');
}

function checkExperimentTag({ key, value }: Entry): void {
  checkKey('tag', key, 'key');
  checkLength('Tag value', value, LENGTHS.experimentTagValue, 'value');
}

function noExperiment(id: string): IngotError {
  return new IngotError('not-found', `No Experiment with id=${id} exists`);
}

function noExperimentError(id: string): never {
  throw noExperiment(id);
}

function notActive(id: string): IngotError {
  return new IngotError('usage', `The experiment ${id} must be in the 'active' state. Current state is deleted.`);
}

function nameTaken(name: string, lifecycle: Lifecycle): IngotError {
  const how =
    lifecycle === 'active'
      ? ''
      : ' in deleted state. You can either restore the experiment or make one of another name';
  return new IngotError('name-taken', `Experiment(name=${name}) already exists${how}.`);
}
