/**
 * The *projector* turns events into rows: those of one log in a row, in one transaction, which counts only while the
 * log's row stands at the event before. So of several servers over one database exactly one writes each event.
 */

import type { StoredEvent } from '@ingot/core/registry/events';
import { tampered } from '@ingot/core/registry/events';
import type { Kysely, Transaction } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { noteFeed } from '../events/note-feed.ts';
import { loadDraft, storeDraft, storeEvents } from './model-rows.ts';
import { projectModelEvents, touchedBy } from './project-model.ts';
import { prepared } from '../database/prepared.ts';
import { projectNameEvents } from './project-names.ts';

/** Name of the log of names, among the ids of models. */
export const NAMES = 'names';

/** How far a log was projected. */
export interface LogPlace {
  /** 0: nothing was. */
  readonly seq: number;
  readonly digest: string | null;
}

/** How far a log was projected. */
export async function placeOf(index: Kysely<IndexTables>, log: string): Promise<LogPlace> {
  const row = await index.selectFrom('logs').select(['seq', 'digest']).where('log', '=', log).executeTakeFirst();
  return row ?? { seq: 0, digest: null };
}

/** What became of events: `stale` when the log does not stand where they begin (any more); `nameless` when the names log must be projected first. */
export type Projected = 'done' | 'stale' | 'nameless';

/**
 * Writes the rows of events of one log that follow each other.
 * @throws IngotError `tampered` when they do not follow from what was projected, `integrity`, `refused`.
 */
export async function projectEvents(
  index: Kysely<IndexTables>,
  log: string,
  events: readonly StoredEvent[],
): Promise<Projected> {
  const first = events[0];
  if (first === undefined) return 'done';
  checkChain(log, events);
  const outcome = await index
    .transaction()
    .execute(async (transaction) => {
      const projected = await projectIn(transaction, log, events);
      if (projected === 'done') await noteFeed(transaction, log, events);
      return projected;
    })
    .catch((error: unknown) => {
      if (error instanceof NamelessLog) return 'nameless' as const;
      throw error;
    });
  if (outcome !== 'stale') return outcome;
  const place = await placeOf(index, log);
  if (place.seq === first.head.seq - 1 && place.digest !== first.head.previous)
    throw tampered(fileOf(log, first.head.seq), 'does not follow from the event that the index knows before it');
  return 'stale';
}

/** The same inside of a transaction that others may have a part in; throws {@link NamelessLog}. */
export async function projectIn(
  transaction: Transaction<IndexTables>,
  log: string,
  events: readonly StoredEvent[],
): Promise<'done' | 'stale'> {
  if (!(await advance(transaction, log, events))) return 'stale';
  if (log === NAMES) {
    await projectNameEvents(transaction, events);
  } else {
    const draft = await loadDraft(transaction, log, touchedBy(events));
    if (draft === undefined) throw new NamelessLog();
    projectModelEvents(draft, events);
    await storeDraft(transaction, draft);
  }
  await storeEvents(transaction, log, events);
  return 'done';
}

/** Ends a transaction that came too early: the names log must be projected first. */
export class NamelessLog extends Error {}

/** Moves a log's row from the event before the first to the last one; says whether it stood there. */
async function advance(
  transaction: Transaction<IndexTables>,
  log: string,
  events: readonly StoredEvent[],
): Promise<boolean> {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return true;
  const place = { seq: last.head.seq, digest: last.digest };
  if (first.head.previous === null) {
    const { numInsertedOrUpdatedRows } = await transaction
      .insertInto('logs')
      .values({ log, ...place })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  }
  const { numAffectedRows } = await moveOn(transaction, [
    place.seq,
    place.digest,
    log,
    first.head.seq - 1,
    first.head.previous,
  ]);
  return numAffectedRows === 1n;
}

const moveOn = prepared('update logs set seq = ?, digest = ? where log = ? and seq = ? and digest = ?');

/** Throws `tampered` when events do not follow each other. */
export function checkChain(log: string, events: readonly StoredEvent[]): void {
  let before: StoredEvent | undefined;
  for (const event of events) {
    const { seq, previous } = event.head;
    const follows = before === undefined || (before.digest === previous && before.head.seq === seq - 1);
    if (!follows || (seq === 1) !== (previous === null))
      throw tampered(fileOf(log, seq), 'does not follow from the event before it');
    before = event;
  }
}

/** The file of an event. */
export function fileOf(log: string, seq: number): string {
  return `${log === NAMES ? NAMES : `models/${log}`}/log/${String(seq).padStart(10, '0')}.json`;
}
