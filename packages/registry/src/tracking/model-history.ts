import { IngotError } from '@ingot/core/errors';
import { parseJson } from '@ingot/core/json';
import type { TrackingContext } from './context.ts';
import { activeRun } from './runs.ts';

/** The tag in which clients before MLflow 3 keep the models of a run. */
const HISTORY_TAG = 'mlflow.log-model.history';

/**
 * Notes a model of a run the way clients before MLflow 3 do: at the end of the list in a tag of the run.
 * @throws IngotError `not-found`; `usage` for what describes no model.
 */
export async function noteModelOfRun(context: TrackingContext, runId: string, modelJson: string): Promise<void> {
  const model = parseModel(modelJson);
  await activeRun(context, runId);
  await context.database.own.transaction().execute(async (own) => {
    const row = await own
      .selectFrom('tracking_run_tags')
      .select('value')
      .where('run_id', '=', runId)
      .where('key', '=', HISTORY_TAG)
      .executeTakeFirst();
    const before: unknown = row === undefined ? [] : JSON.parse(row.value);
    const value = JSON.stringify([...(Array.isArray(before) ? before : []), model]);
    await own
      .insertInto('tracking_run_tags')
      .values({ run_id: runId, key: HISTORY_TAG, value })
      .onConflict((conflict) => conflict.columns(['run_id', 'key']).doUpdateSet({ value }))
      .execute();
  });
}

function parseModel(text: string): object {
  const model = parseJson(text);
  if (typeof model !== 'object' || model === null || Array.isArray(model))
    throw new IngotError('usage', `Malformed model info. \n ${text.slice(0, 100)} \n is not a valid JSON object.`);
  const missing = ['artifact_path', 'flavors', 'utc_time_created', 'run_id'].filter(
    (key) => !Object.hasOwn(model, key),
  );
  if (missing.length === 0) return model;
  throw new IngotError('usage', `Model json is missing mandatory fields: ${missing.join(', ')}`);
}
