/**
 * Tables of the index: what the store's logs say, as rows. Times are ISO 8601 in UTC as the log has them; `record`,
 * `body` and other JSON lie as text; truth is 0 or 1. Every row of a model carries its id, never its name.
 */

/** How far each log was projected. */
export interface LogRow {
  /** `names`, or a model's id. */
  log: string;
  seq: number;
  /** Digest of event `seq`. */
  digest: string;
}

/** A model; also one without versions, and one that was deleted (`closed`), whose name is null. */
export interface ModelRow {
  id: string;
  name: string | null;
  closed: number;
  created_at: string;
  created_by: string;
  updated_at: string;
  /** What was said of the model itself; null where nothing was. */
  description: string | null;
  /** Description of the version published last that has one; at most 200 characters. */
  newest_description: string | null;
  /** The highest number used; the next version has a higher one. */
  last_number: number;
  /** The newest version that is active, if there is one. */
  latest: number | null;
  /** Number of versions that are not deleted. */
  versions: number;
}

/** A version; deleted ones stay as `status` deleted. */
export interface VersionRow {
  model_id: string;
  number: number;
  /** Event that published it. */
  seq: number;
  /** Event that changed it last: what is kept of it counts while this is the same. */
  changed_seq: number;
  manifest: string;
  label: string | null;
  /** The label is only metadata: another version has it. */
  label_shadowed: number;
  status: 'active' | 'retired' | 'deleted';
  published_at: string;
  published_by: string;
  updated_at: string;
  /** When the model was made, where that was told. */
  made_at: string | null;
  flavor: string;
  size_bytes: number;
  file_count: number;
  description: string | null;
  author: string | null;
  message: string | null;
  stage: string | null;
  /** Event that retired it (the one that published it, where that did); null while it is not. */
  retired_seq: number | null;
  /** Event that deleted it; null while it is not. */
  deleted_seq: number | null;
  git_commit: string | null;
  git_branch: string | null;
  git_dirty: number | null;
  run: string | null;
  executes_code: number | null;
  /** Whether the digests of its files are in `version_files`: 0 not yet, 1 they are, 2 they cannot be read. */
  files_known: number;
  /** What people have written of it, a line each: what words are looked for in. */
  search_text: string;
  /** JSON of the `VersionRecord` without `aliases`. */
  record: string;
}

export interface ModelTagRow {
  model_id: string;
  key: string;
  value: string;
}

export interface VersionTagRow extends ModelTagRow {
  number: number;
}

export interface VersionMetricRow {
  model_id: string;
  number: number;
  key: string;
  value: number;
}

/** A hyperparameter; nested ones have keys with dots. */
export interface VersionParamRow {
  model_id: string;
  number: number;
  key: string;
  /** The value as text; JSON where it is no scalar. */
  value: string;
  /** The same as a number, where it is one. */
  number_value: number | null;
}

/** A package of the environment: `scikit-learn`, `1.5.2`, and a text that sorts as versions do (PEP 440). */
export interface VersionPackageRow {
  model_id: string;
  number: number;
  package: string;
  version: string | null;
  sort_key: string | null;
}

export interface VersionDataRow {
  model_id: string;
  number: number;
  /** Place in the list, from 0. */
  place: number;
  name: string;
  digest: string | null;
  source: string | null;
}

/**
 * What a version was made from: a reference or address as it was given; the model that had the name when it was
 * published, if one had; and the number, where the reference names one.
 */
export interface VersionParentRow {
  model_id: string;
  number: number;
  /** Place in the list, from 0. */
  place: number;
  parent: string;
  parent_model_id: string | null;
  parent_number: number | null;
}

export interface VersionFileRow {
  model_id: string;
  number: number;
  path: string;
  digest: string;
  size_bytes: number;
}

export interface AliasRow {
  model_id: string;
  alias: string;
  number: number;
  /** Event that set it. */
  seq: number;
  at: string;
  actor: string;
}

/** Every move of an alias; null: it named nothing. */
export interface AliasMoveRow {
  model_id: string;
  seq: number;
  alias: string;
  from_number: number | null;
  to_number: number | null;
  at: string;
  actor: string;
  reason: string | null;
}

export interface EventRow {
  /** `names`, or a model's id. */
  log: string;
  seq: number;
  digest: string;
  id: string;
  at: string;
  actor: string;
  kind: string;
  reason: string | null;
  /** JSON; null when it was erased. */
  body: string | null;
}

/** A name that a model has had: from an event of the names log on, until another. */
export interface ModelNameRow {
  name: string;
  model_id: string;
  from_at: string;
  from_seq: number;
  until_at: string | null;
  until_seq: number | null;
}

/** A log that cannot be followed: what is wrong with it. It is tried again. */
export interface LogProblemRow {
  log: string;
  /** Error code: `tampered`, `integrity`, `refused`. */
  code: string;
  message: string;
  since: string;
}

/** All tables of the index. */
export interface IndexTables {
  logs: LogRow;
  log_problems: LogProblemRow;
  models: ModelRow;
  model_names: ModelNameRow;
  model_tags: ModelTagRow;
  versions: VersionRow;
  version_tags: VersionTagRow;
  version_metrics: VersionMetricRow;
  version_params: VersionParamRow;
  version_packages: VersionPackageRow;
  version_data: VersionDataRow;
  version_parents: VersionParentRow;
  version_files: VersionFileRow;
  aliases: AliasRow;
  alias_moves: AliasMoveRow;
  events: EventRow;
}
