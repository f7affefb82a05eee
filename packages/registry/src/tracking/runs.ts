import { IngotError } from '@ingot/core/errors';
import { prepared } from '../database/prepared.ts';
import { type Entry, inPieces, lastOfEach, newId, nowMs, type TrackingContext } from './context.ts';
import { activeExperiment } from './experiments.ts';
import { checkKey, cutTo, LENGTHS } from './limits.ts';
import { fullRuns, type Run } from './run-data.ts';
import { randomRunName } from './run-names.ts';
import type { Lifecycle, RunRow } from './tables.ts';

/** How far a run is. */
export const RUN_STATUSES = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;

/** The tag that holds a run's name, too. */
export const RUN_NAME_TAG = 'mlflow.runName';

/** What a run is made of. */
export interface RunDraft {
  readonly experimentId: string;
  readonly userName?: string | undefined;
  /** Default: a random one. */
  readonly name?: string | undefined;
  /** Default: now. */
  readonly startedMs?: number | undefined;
  readonly tags: readonly Entry[];
}

/** Makes a run that is running. Throws `not-found`, `usage`. */
export async function createRun(context: TrackingContext, draft: RunDraft): Promise<Run> {
  const experiment = await activeExperiment(context, draft.experimentId);
  const tags = lastOfEach(draft.tags).map(({ key, value }) => ({ key, value: cutTo(LENGTHS.tagValue, value) }));
  for (const tag of tags) checkRunTag(tag);
  const name = nameOf(draft, context);
  const id = newId(context);
  const row: RunRow = {
    id,
    experiment_id: experiment.id,
    name,
    user_name: draft.userName ?? '',
    status: 'RUNNING',
    started_ms: draft.startedMs ?? nowMs(context),
    ended_ms: null,
    lifecycle: 'active',
    deleted_ms: null,
    artifact_uri: `${experiment.artifact_location}/${id}/artifacts`,
  };
  const all = lastOfEach([...tags, { key: RUN_NAME_TAG, value: name }]);
  await context.database.own.transaction().execute(async (own) => {
    await own.insertInto('tracking_runs').values(row).execute();
    for (const piece of inPieces(all))
      await own
        .insertInto('tracking_run_tags')
        .values(piece.map(({ key, value }) => ({ run_id: id, key, value })))
        .execute();
  });
  return { row, metrics: [], params: [], tags: all, datasets: [], inputModels: [], outputModels: [] };
}

/** Gives a run with its latest metrics, params, tags, inputs and outputs. Throws `not-found`. */
export async function getRun(context: TrackingContext, id: string): Promise<Run> {
  const row = await runRow(context, id);
  const [run] = await fullRuns(context, [row]);
  if (run === undefined) throw noRun(id);
  return run;
}

/** Gives the row of a run. Throws `not-found`. */
export async function runRow({ database }: TrackingContext, id: string): Promise<RunRow> {
  const [row] = (await runById(database.own, [id])).rows;
  if (row === undefined) throw noRun(id);
  return row;
}

const runById = prepared<RunRow>('select * from tracking_runs where id = ?');

/** Gives the row of a run that can be written to. Throws `not-found`, `usage` for a deleted one. */
export async function activeRun(context: TrackingContext, id: string): Promise<RunRow> {
  const row = await runRow(context, id);
  if (row.lifecycle === 'active') return row;
  throw new IngotError('usage', `The run ${id} must be in the 'active' state. Current state is deleted.`);
}

/** Changes of a run's own facts. */
export interface RunChanges {
  readonly status?: string | undefined;
  readonly endedMs?: number | undefined;
  readonly name?: string | undefined;
}

/** Changes a run's own facts. Throws `not-found`, `usage`. */
export async function updateRun(context: TrackingContext, id: string, changes: RunChanges): Promise<RunRow> {
  const row = await activeRun(context, id);
  const { status = row.status, endedMs: ended_ms = row.ended_ms } = changes;
  const name = changes.name === undefined || changes.name === '' ? row.name : changes.name;
  const tag = { key: RUN_NAME_TAG, value: name };
  checkRunTag(tag);
  await context.database.own.transaction().execute(async (own) => {
    await own.updateTable('tracking_runs').set({ status, ended_ms, name }).where('id', '=', id).execute();
    if (name !== row.name)
      await own
        .insertInto('tracking_run_tags')
        .values({ run_id: id, ...tag })
        .onConflict((conflict) => conflict.columns(['run_id', 'key']).doUpdateSet({ value: name }))
        .execute();
  });
  return { ...row, status, ended_ms, name };
}

/** Deletes a run, or brings it back; nothing changes when it is so already. Throws `not-found`. */
export async function setRunLifecycle(context: TrackingContext, id: string, to: Lifecycle): Promise<void> {
  await runRow(context, id);
  await context.database.own
    .updateTable('tracking_runs')
    .set({ lifecycle: to, deleted_ms: to === 'deleted' ? nowMs(context) : null })
    .where('id', '=', id)
    .execute();
}

/** Removes a tag of a run. Throws `not-found` when it has none of that name. */
export async function deleteRunTag(context: TrackingContext, id: string, key: string): Promise<void> {
  await activeRun(context, id);
  const { numDeletedRows } = await context.database.own
    .deleteFrom('tracking_run_tags')
    .where('run_id', '=', id)
    .where('key', '=', key)
    .executeTakeFirst();
  if (Number(numDeletedRows) > 0) return;
  throw new IngotError('not-found', `No tag with name: ${key.slice(0, 250)} in run with id ${id}`);
}

/** Refuses a tag that no run can have. Throws `usage`. */
export function checkRunTag({ key }: Entry, path = 'key'): void {
  checkKey('tag', key, path);
}

function nameOf({ name, tags }: RunDraft, { random }: TrackingContext): string {
  const tagged = tags.find(({ key }) => key === RUN_NAME_TAG)?.value;
  if (name && tagged && name !== tagged)
    throw new IngotError(
      'usage',
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${name}', mlflow.runName='${tagged}').`,
    );
  return name || tagged || randomRunName(random);
}

function noRun(id: string): IngotError {
  return new IngotError('not-found', `Run with id=${id.slice(0, 256)} not found`);
}
