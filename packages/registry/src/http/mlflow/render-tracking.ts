import type { Entry } from '../../tracking/context.ts';
import type { Experiment } from '../../tracking/experiments.ts';
import type { LoggedModel } from '../../tracking/logged-models.ts';
import type { MetricPoint, Run, UsedDataset } from '../../tracking/run-data.ts';
import type { RunRow } from '../../tracking/tables.ts';

/** A list, or nothing when it is empty: so clients of MLflow expect it. */
export function list<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}

/** A number as JSON can hold it. */
export function jsonNumber(value: number): number | string {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}

/** An experiment as clients read it. */
export function experimentJson(experiment: Experiment): object {
  const { id, name, artifact_location, lifecycle, created_ms, updated_ms, tags } = experiment;
  return {
    experiment_id: id,
    name,
    artifact_location,
    lifecycle_stage: lifecycle,
    last_update_time: updated_ms,
    creation_time: created_ms,
    tags: list(tags),
    workspace: 'default',
  };
}

/** The facts of a run itself. */
export function runInfoJson(row: RunRow): object {
  return {
    run_uuid: row.id,
    experiment_id: String(row.experiment_id),
    run_name: row.name,
    user_id: row.user_name,
    status: row.status,
    start_time: row.started_ms,
    end_time: row.ended_ms ?? undefined,
    artifact_uri: row.artifact_uri,
    lifecycle_stage: row.lifecycle,
    run_id: row.id,
  };
}

/** A run with all that was logged in it. */
export function runJson(run: Run): object {
  const { row, metrics, params, tags, datasets, inputModels, outputModels } = run;
  return {
    info: runInfoJson(row),
    data: { metrics: list(metrics.map(metricJson)), params: list(params), tags: list(tags) },
    inputs: {
      dataset_inputs: list(datasets.map(datasetInputJson)),
      model_inputs: list(inputModels.map((model_id) => ({ model_id }))),
    },
    ...(outputModels.length === 0
      ? {}
      : { outputs: { model_outputs: outputModels.map(({ modelId, step }) => ({ model_id: modelId, step })) } }),
  };
}

/** A metric's value at a time and step. */
export function metricJson({ key, value, timestampMs, step }: MetricPoint): object {
  return { key, value: jsonNumber(value), timestamp: timestampMs, step };
}

function datasetInputJson({ dataset, tags }: UsedDataset): object {
  const { name, digest, source_type, source, schema_text, profile } = dataset;
  return {
    tags: list(tags),
    dataset: {
      name,
      digest,
      source_type,
      source,
      schema: schema_text ?? undefined,
      profile: profile ?? undefined,
    },
  };
}

/** A logged model as clients read it. */
export function loggedModelJson({ row, tags, params, metrics }: LoggedModel): object {
  return {
    info: {
      model_id: row.id,
      experiment_id: String(row.experiment_id),
      name: row.name,
      creation_timestamp_ms: row.created_ms,
      last_updated_timestamp_ms: row.updated_ms,
      artifact_uri: row.artifact_location,
      status: `LOGGED_MODEL_${row.status}`,
      model_type: row.model_type ?? '',
      source_run_id: row.run_id ?? '',
      status_message: row.status_message ?? undefined,
      tags: list(tags),
    },
    data: {
      params: list(params),
      metrics: list(
        metrics.map((metric) => ({
          ...metricJson(metric),
          dataset_name: metric.datasetName,
          dataset_digest: metric.datasetDigest,
          model_id: row.id,
          run_id: metric.runId,
        })),
      ),
    },
  };
}

/** The tags of a message as one list. */
export function entriesJson(entries: Readonly<Record<string, string>>): readonly Entry[] {
  return Object.entries(entries).map(([key, value]) => ({ key, value }));
}
