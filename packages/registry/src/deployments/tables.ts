/** Tables of this room. Times are milliseconds since 1970. */

/** A model server that has reported: one process from its start to its end. */
export interface DeploymentServerRow {
  id: string;
  host: string;
  address: string;
  release: string;
  started_at: number;
  last_seen: number;
  reported_by: string;
}

/** A stretch of time in which a server answered with a version. */
export interface DeploymentRow {
  server_id: string;
  model_id: string;
  number: number;
  from_at: number;
  /** Null while the server says that it answers with it. */
  until_at: number | null;
  /** The model's name then. */
  model: string;
  manifest: string;
  /** JSON: the sources that named it, `["churn@production"]`. */
  sources: string;
}

/** Tables of this room. */
export interface DeploymentTables {
  deployment_servers: DeploymentServerRow;
  deployments: DeploymentRow;
}
