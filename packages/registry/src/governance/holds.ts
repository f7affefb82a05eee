import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';

/** A hold as the log tells it. */
export interface StandingHold {
  readonly hold: string;
  /** Null: the whole model. */
  readonly number: number | null;
  readonly by: string;
  readonly at: string;
  readonly reason?: string;
}

/** Holds of a model, and what they hold. */
export interface HeldVersions {
  readonly holds: readonly StandingHold[];
  isHeld(number: number): boolean;
}

/** Reads which holds a model is under now: they lie in its log. */
export async function holdsOf(index: Kysely<IndexTables>, modelId: string): Promise<HeldVersions> {
  const rows = await index
    .selectFrom('events')
    .select(['kind', 'at', 'actor', 'reason', 'body'])
    .where('log', '=', modelId)
    .where('kind', 'in', ['hold-set', 'hold-released'])
    .orderBy('seq')
    .execute();
  const standing = new Map<string, StandingHold>();
  for (const { kind, at, actor, reason, body } of rows) {
    const said: { readonly hold?: unknown; readonly number?: unknown } = body === null ? {} : JSON.parse(body);
    if (typeof said.hold !== 'string') continue;
    if (kind === 'hold-released') standing.delete(said.hold);
    else {
      const number = typeof said.number === 'number' ? said.number : null;
      standing.set(said.hold, { hold: said.hold, number, by: actor, at, ...(reason !== null && { reason }) });
    }
  }
  const holds = [...standing.values()];
  return { holds, isHeld: (wanted) => holds.some(({ number }) => number === null || number === wanted) };
}
