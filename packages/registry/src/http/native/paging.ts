import { IngotError } from '@ingot/core/errors';
import { parseJson } from '@ingot/core/json';
import { z } from 'zod';

/** How a listing is asked for the page after another: `limit` entries from where `cursor` stopped. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Most entries of the answer, 1 to 1,000.'),
  cursor: z.string().max(2000).optional().describe('`next` of the page before; opaque.'),
});

/** Some entries of a listing, and where the next page begins; no `next`: that was the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** The schema of a page of a listing. */
export function pageOf<T extends z.ZodType>(item: T) {
  const items: z.ZodType<readonly z.output<T>[]> = z.array(item);
  return z.object({
    items,
    next: z.string().optional().describe('`cursor` of the next page; absent on the last.'),
  });
}

/** Writes the place where a page ended as an opaque text: the kind of listing, and the key of the last entry. */
export function cursorOf(kind: string, key: string | number): string {
  return Buffer.from(JSON.stringify([kind, key])).toString('base64url');
}

/**
 * Reads where a page begins.
 * @throws IngotError `invalid-request` for a text that is no cursor of this listing.
 */
export function textCursor(kind: string, cursor: string | undefined): string | undefined {
  const key = keyOf(kind, cursor);
  return key === undefined || typeof key === 'string' ? key : refuse();
}

/** The same for listings by number. */
export function numberCursor(kind: string, cursor: string | undefined): number | undefined {
  const key = keyOf(kind, cursor);
  return key === undefined || Number.isSafeInteger(key) ? Number(key ?? Number.NaN) || undefined : refuse();
}

function keyOf(kind: string, cursor: string | undefined): unknown {
  if (cursor === undefined) return undefined;
  const parsed = parseJson(Buffer.from(cursor, 'base64url').toString());
  return Array.isArray(parsed) && parsed.length === 2 && parsed[0] === kind ? parsed[1] : refuse();
}

function refuse(): never {
  throw new IngotError('invalid-request', 'the cursor is not one of this listing', {
    hint: 'begin without a cursor, and follow `next`',
  });
}

/** Cuts a page of one entry more than it may have. */
export function pageFrom<T>(
  entries: readonly T[],
  limit: number,
  { kind, keyOf: key }: { readonly kind: string; readonly keyOf: (entry: T) => string | number },
): Page<T> {
  const items = entries.slice(0, limit);
  const last = items.at(-1);
  return entries.length > limit && last !== undefined ? { items, next: cursorOf(kind, key(last)) } : { items };
}
