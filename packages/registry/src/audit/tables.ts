/** Tables of this room. */
export type AuditTables = object;
