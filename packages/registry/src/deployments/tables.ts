/** Tables of this room. */
export type DeploymentTables = object;
