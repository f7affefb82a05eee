/** Tables of this room. */
export type GovernanceTables = object;
