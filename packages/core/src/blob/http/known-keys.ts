/**
 * What can be found of a store without listing it: its logs are numbered without gaps, so their ends can be searched
 * for; the newest head of a log is not much older than its newest event. Everything else that is listed is a cache,
 * which may be taken for empty, or is only listed to change or to care for a store.
 */

import type { BlobEntry, BlobStat } from '../blob-store.ts';
import { compareKeys } from '../key.ts';
import { inOrder } from './in-order.ts';

const LOG = /^((?:names|models\/[^/]+)\/)(log|heads)\/$/;
const CACHES = /^(?:index\/|changes\/|(?:names|models\/[^/]+)\/segments\/)/;
const HEADS_BEHIND = 16;
const AT_ONCE = 16;

/** Looks at one key. */
export type Look = (key: string) => Promise<BlobStat | undefined>;

/** Lists what can be found under a prefix, in the order of the keys; undefined for a prefix under which nothing can be told. */
export async function findKnown(
  prefix: string,
  after: string | undefined,
  look: Look,
): Promise<BlobEntry[] | undefined> {
  // Whoever lists everything wants to know whether there is anything.
  if (prefix === '') return entriesOf(['ingot.json'].filter(isAfter(after)), look);
  if (CACHES.test(prefix)) return [];
  const [, log, kind] = LOG.exec(prefix) ?? [];
  if (log === undefined) return undefined;
  const last = await lastNumber((seq) => look(numbered(`${log}log/`, seq)));
  const first = kind === 'log' ? 1 : Math.max(1, last - HEADS_BEHIND);
  const keys = Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => numbered(prefix, first + n));
  return entriesOf(keys.filter(isAfter(after)), look);
}

// Doubles until a miss, then halves: some twenty requests for a log of a thousand events.
async function lastNumber(look: (seq: number) => Promise<BlobStat | undefined>): Promise<number> {
  let [there, missing] = [0, 1];
  while ((await look(missing)) !== undefined) [there, missing] = [missing, missing * 2];
  while (missing - there > 1) {
    const middle = Math.floor((there + missing) / 2);
    if ((await look(middle)) === undefined) missing = middle;
    else there = middle;
  }
  return there;
}

async function entriesOf(keys: readonly string[], look: Look): Promise<BlobEntry[]> {
  const found = await inOrder(keys, AT_ONCE, async (key) => ({ key, stat: await look(key) }));
  return found.flatMap(({ key, stat }) => (stat === undefined ? [] : [{ key, ...stat }]));
}

function numbered(prefix: string, seq: number): string {
  return `${prefix}${String(seq).padStart(10, '0')}.json`;
}

function isAfter(after: string | undefined): (key: string) => boolean {
  return (key) => after === undefined || compareKeys(key, after) > 0;
}
