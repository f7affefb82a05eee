/**
 * *Experiments* hold *runs*; a run logs metrics, params, tags, data sets, and *logged models*. All of it is only the
 * server's: no log of the store tells it, `backup` does. Times are milliseconds since 1970; truth is 0 or 1.
 */

/** Whether something was deleted; what was can be restored. */
export type Lifecycle = 'active' | 'deleted';

export interface ExperimentRow {
  id: number;
  name: string;
  artifact_location: string;
  lifecycle: Lifecycle;
  created_ms: number;
  updated_ms: number;
}

export interface ExperimentTagRow {
  experiment_id: number;
  key: string;
  value: string;
}

export interface RunRow {
  /** 32 hex digits. */
  id: string;
  experiment_id: number;
  name: string;
  user_name: string;
  status: string;
  started_ms: number;
  ended_ms: number | null;
  lifecycle: Lifecycle;
  deleted_ms: number | null;
  artifact_uri: string;
}

export interface RunTextRow {
  run_id: string;
  key: string;
  value: string;
}

/** A logged value. NaN lies as 0 with `is_nan`. */
export interface MetricRow {
  run_id: string;
  key: string;
  value: number;
  is_nan: number;
  timestamp_ms: number;
  step: number;
}

export interface DatasetRow {
  id: string;
  experiment_id: number;
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema_text: string | null;
  profile: string | null;
}

/** A data set that a run used; tags as JSON of key and value. */
export interface RunDatasetRow {
  run_id: string;
  dataset_id: string;
  /** Place among the inputs of the run. */
  place: number;
  tags: string;
  /** The tag `mlflow.data.context`: `training`. */
  context: string | null;
}

export interface RunModelRow {
  run_id: string;
  model_id: string;
  direction: 'input' | 'output';
  step: number;
}

export interface LoggedModelRow {
  /** `m-` and 32 hex digits. */
  id: string;
  experiment_id: number;
  name: string;
  artifact_location: string;
  created_ms: number;
  updated_ms: number;
  status: string;
  status_message: string | null;
  model_type: string | null;
  run_id: string | null;
  lifecycle: Lifecycle;
}

export interface LoggedModelTextRow {
  model_id: string;
  key: string;
  value: string;
}

export interface LoggedModelMetricRow {
  model_id: string;
  run_id: string;
  key: string;
  value: number;
  is_nan: number;
  timestamp_ms: number;
  step: number;
  dataset_name: string | null;
  dataset_digest: string | null;
}

/** Tables of this room. */
export interface TrackingTables {
  tracking_experiments: ExperimentRow;
  tracking_experiment_tags: ExperimentTagRow;
  tracking_runs: RunRow;
  tracking_run_params: RunTextRow;
  tracking_run_tags: RunTextRow;
  /** The value of each metric with the highest step, then time, then value. */
  tracking_latest_metrics: MetricRow;
  tracking_metrics: MetricRow;
  tracking_datasets: DatasetRow;
  tracking_run_datasets: RunDatasetRow;
  tracking_run_models: RunModelRow;
  tracking_models: LoggedModelRow;
  tracking_model_tags: LoggedModelTextRow;
  tracking_model_params: LoggedModelTextRow;
  tracking_model_metrics: LoggedModelMetricRow;
}
