import type { IndexTables as Tables } from '../index/tables.ts';

/** Tables of the index. */
export type IndexTables = Tables;
