import type { StoredEvent } from '@ingot/core/registry/events';
import type { Transaction } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';

/** Notes that events came into the index, in the transaction that writes their rows: so none is ever missing from the feed. */
export async function noteFeed(
  transaction: Transaction<IndexTables>,
  log: string,
  events: readonly StoredEvent[],
): Promise<void> {
  const at_ms = Date.now();
  for (const { head } of events) await transaction.insertInto('feed').values({ log, seq: head.seq, at_ms }).execute();
}
