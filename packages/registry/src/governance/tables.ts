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

/** Tables of this room. */
export interface GovernanceTables {
  governance_policies: PolicyRow;
}
