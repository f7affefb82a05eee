/** Tables of this room. */
export type ArtifactTables = object;
