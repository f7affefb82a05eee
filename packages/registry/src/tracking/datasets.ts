import { IngotError } from '@ingot/core/errors';
import { type Entry, inPieces, newId, type TrackingContext } from './context.ts';
import { checkLength, LENGTHS } from './limits.ts';
import { activeRun } from './runs.ts';
import type { DatasetRow } from './tables.ts';

/** A data set as a run names it. */
export interface DatasetDraft {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema?: string | undefined;
  readonly profile?: string | undefined;
  readonly tags: readonly Entry[];
}

/** What a run used. */
export interface RunInputs {
  readonly datasets: readonly DatasetDraft[];
  /** Ids of logged models. */
  readonly models: readonly string[];
}

const CONTEXT_TAG = 'mlflow.data.context';
const MOST_DATASETS = 1000;

/** Notes the data sets and models that a run used; what it noted before stays. Throws `not-found`, `usage`. */
export async function logInputs(context: TrackingContext, runId: string, inputs: RunInputs): Promise<void> {
  const { datasets, models } = inputs;
  if (datasets.length > MOST_DATASETS)
    throw new IngotError('usage', `at most ${MOST_DATASETS} data sets can be logged at once`);
  for (const dataset of datasets) checkDataset(dataset);
  const run = await activeRun(context, runId);
  await context.database.own.transaction().execute(async (own) => {
    const rows = datasets.map((dataset) => rowOf(context, run.experiment_id, dataset));
    for (const piece of inPieces(rows))
      await own
        .insertInto('tracking_datasets')
        .values([...piece])
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    let place = await nextPlace(own, runId);
    for (const piece of inPieces(datasets)) {
      const names = piece.map(({ name }) => name);
      const known = await own
        .selectFrom('tracking_datasets')
        .select(['id', 'name', 'digest'])
        .where('experiment_id', '=', run.experiment_id)
        .where('name', 'in', names)
        .execute();
      const ids = new Map(known.map(({ id, name, digest }) => [JSON.stringify([name, digest]), id]));
      const used = piece.flatMap(({ name, digest, tags }) => {
        const dataset_id = ids.get(JSON.stringify([name, digest]));
        const where = tags.find(({ key }) => key === CONTEXT_TAG)?.value ?? null;
        if (dataset_id === undefined) return [];
        const row = { run_id: runId, dataset_id, place, tags: JSON.stringify(tags), context: where };
        place += 1;
        return [row];
      });
      await own
        .insertInto('tracking_run_datasets')
        .values(used)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    await noteModels(
      own,
      runId,
      'input',
      models.map((modelId) => ({ modelId, step: 0 })),
    );
  });
}

/** Data sets are told in the order in which they were noted, over all calls. */
async function nextPlace(own: TrackingContext['database']['own'], runId: string): Promise<number> {
  const { last } = await own
    .selectFrom('tracking_run_datasets')
    .select((eb) => eb.fn.max('place').as('last'))
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  return last === null ? 0 : Number(last) + 1;
}

/** Notes the models that a run made. Throws `not-found`, `usage`. */
export async function logOutputs(
  context: TrackingContext,
  runId: string,
  models: readonly { readonly modelId: string; readonly step: number }[],
): Promise<void> {
  await activeRun(context, runId);
  await noteModels(context.database.own, runId, 'output', models);
}

async function noteModels(
  own: TrackingContext['database']['own'],
  runId: string,
  direction: 'input' | 'output',
  models: readonly { readonly modelId: string; readonly step: number }[],
): Promise<void> {
  for (const piece of inPieces(models))
    await own
      .insertInto('tracking_run_models')
      .values(piece.map(({ modelId, step }) => ({ run_id: runId, model_id: modelId, direction, step })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

/** A data set of an experiment, and what its runs used it for. */
export interface DatasetSummary {
  readonly experimentId: string;
  readonly name: string;
  readonly digest: string;
  readonly context?: string;
}

const MOST_SUMMARIES = 1000;

/** Lists the data sets that runs of some experiments used, each once for each use. */
export async function searchDatasets(
  { database }: TrackingContext,
  experimentIds: readonly number[],
): Promise<readonly DatasetSummary[]> {
  const rows = await database.own
    .selectFrom('tracking_datasets as dataset')
    .innerJoin('tracking_run_datasets as used', 'used.dataset_id', 'dataset.id')
    .select(['dataset.experiment_id', 'dataset.name', 'dataset.digest', 'used.context'])
    .distinct()
    .where('dataset.experiment_id', 'in', experimentIds)
    .orderBy('dataset.name')
    .orderBy('dataset.digest')
    .limit(MOST_SUMMARIES)
    .execute();
  return rows.map(({ experiment_id, name, digest, context }) => ({
    experimentId: String(experiment_id),
    name,
    digest,
    ...(context === null ? {} : { context }),
  }));
}

function rowOf(context: TrackingContext, experimentId: number, dataset: DatasetDraft): DatasetRow {
  const { name, digest, sourceType, source, schema, profile } = dataset;
  return {
    id: newId(context),
    experiment_id: experimentId,
    name,
    digest,
    source_type: sourceType,
    source,
    schema_text: schema ?? null,
    profile: profile ?? null,
  };
}

function checkDataset({ name, digest, source, schema }: DatasetDraft): void {
  checkLength('Dataset name', name, LENGTHS.datasetName, 'name');
  checkLength('Dataset digest', digest, LENGTHS.datasetDigest, 'digest');
  checkLength('Dataset source', source, LENGTHS.datasetSource, 'source');
  checkLength('Dataset schema', schema ?? '', LENGTHS.datasetSchema, 'schema');
}
