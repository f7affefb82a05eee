import type { Found } from '../../tracking/search-experiments.ts';

const MOST_ROUNDS = 20;

/**
 * Gives a page of rows that somebody may read: what they may not is left out, and more is read in its place.
 * @param find gives the rows after a cursor.
 */
export async function readablePage<Row>(
  cursor: string | undefined,
  find: (cursor: string | undefined) => Promise<Found<Row>>,
  mayRead: (row: Row) => boolean,
): Promise<Found<Row>> {
  let at = cursor;
  for (let round = 1; ; round += 1) {
    const { items, next } = await find(at);
    const shown = items.filter(mayRead);
    // A page that is only shorter is as good as a full one; an empty one would look like the end.
    if (shown.length > 0 || next === undefined || round === MOST_ROUNDS)
      return next === undefined ? { items: shown } : { items: shown, next };
    at = next;
  }
}
