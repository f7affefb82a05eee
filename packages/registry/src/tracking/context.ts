import type { Services } from '../services.ts';

/** What tracking needs of the server. */
export type TrackingContext = Pick<Services, 'database' | 'now' | 'random'>;

/** Most rows that one statement writes or asks for by key: each value is a parameter, and databases allow so many. */
export const ROWS_AT_ONCE = 500;

/** Cuts a list into pieces that one statement can hold. */
export function inPieces<T>(items: readonly T[], size = ROWS_AT_ONCE): readonly (readonly T[])[] {
  const pieces: T[][] = [];
  for (let at = 0; at < items.length; at += size) pieces.push(items.slice(at, at + size));
  return pieces;
}

/** Milliseconds since 1970. */
export function nowMs({ now }: Pick<TrackingContext, 'now'>): number {
  return now().getTime();
}

/** 32 hex digits that nobody else has. */
export function newId({ random }: Pick<TrackingContext, 'random'>): string {
  return Buffer.from(random(16)).toString('hex');
}

/** Groups rows by a key. */
export function grouped<T, K>(rows: readonly T[], keyOf: (row: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

/** A key with a text. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** The entries with each key once: what was said last counts. */
export function lastOfEach(entries: readonly Entry[]): readonly Entry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}
