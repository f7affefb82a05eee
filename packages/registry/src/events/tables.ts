import type { Generated } from 'kysely';

/** Events in the order in which they came into the index; rows of the last days. */
export interface FeedRow {
  /** Grows with every event; gaps mean nothing. */
  position: Generated<number>;
  /** `names`, or a model's id. */
  log: string;
  seq: number;
  at_ms: number;
}

/** Positions count within one generation: that of these tables. One row. */
export interface FeedGenerationRow {
  generation: string;
}

/** Tables of this room; they lie beside the index. */
export interface FeedTables {
  feed: FeedRow;
  feed_generation: FeedGenerationRow;
}
