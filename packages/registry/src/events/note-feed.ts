import type { StoredEvent } from '@ingot/core/registry/events';
import { sql, type Transaction } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { isPostgres, prepared } from '../database/prepared.ts';

/** On which servers over one Postgres tell each other that there is something new. */
export const FEED_CHANNEL = 'ingot_feed';

/** Notes that events came into the index, in the transaction that writes their rows: so none is ever missing from the feed. */
export async function noteFeed(
  transaction: Transaction<IndexTables>,
  log: string,
  events: readonly { readonly head: Pick<StoredEvent['head'], 'seq'> }[],
): Promise<void> {
  const at_ms = Date.now();
  for (const { head } of events) await note(transaction, [log, head.seq, at_ms]);
  // Others hear of it when the transaction ends, and not before.
  if (isPostgres(transaction)) await sql`select pg_notify(${FEED_CHANNEL}, '')`.execute(transaction);
}

const note = prepared('insert into feed (log, seq, at_ms) values (?, ?, ?)');
