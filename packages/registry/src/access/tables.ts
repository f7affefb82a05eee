/** Tables of this room. */
export type AccessTables = object;
