/** Tables of this room. */
export type TrackingTables = object;
