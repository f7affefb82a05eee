import type { FeedTables } from '../events/tables.ts';
import type { IndexTables as Tables } from '../index/tables.ts';

/** Tables of the index, and of what lies beside it. */
export type IndexTables = Tables & FeedTables;
