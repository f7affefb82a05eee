/** A policy, as an admin has set it. */
export interface PolicyRow {
  /** `*`, `team/`, or a model's name. */
  scope: string;
  /** JSON of a `Policy`. */
  policy: string;
  /** ISO 8601. */
  updated_at: string;
  updated_by: string;
}

/** Work that one of the servers over the database does now and then. Times are milliseconds since 1970. */
export interface ScheduleRow {
  /** `retention`. */
  name: string;
  /** When it is due. */
  next_at: number;
  /** Until when a server has it in its hands. */
  leased_until: number;
}

/** What one run of retention did. */
export interface RetentionRunRow {
  /** Sorts by time. */
  id: string;
  /** ISO 8601. */
  began_at: string;
  /** ISO 8601; null while it runs, and of a server that ended in its middle. */
  ended_at: string | null;
  /** Who asked; `retention` where it was the schedule. */
  actor: string;
  /** 1: the schedule. */
  scheduled: number;
  /** The model that was asked for; null: all. */
  model: string | null;
  planned: number;
  released: number;
  kept: number;
  released_bytes: number;
  /** JSON: the versions, with why they went or stayed; the first 1,000. */
  versions: string;
  error: string | null;
}

/** Tables of this room. */
export interface GovernanceTables {
  governance_policies: PolicyRow;
  governance_schedules: ScheduleRow;
  governance_retention_runs: RetentionRunRow;
}
