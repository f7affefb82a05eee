import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import type { RecipeRef } from './content/content-store.ts';
import type { Digest } from './digest.ts';
import { IngotError } from './errors.ts';
import { parseEvent, type StoredEvent, tampered } from './registry/events.ts';
import { Fields } from './registry/fields.ts';
import { numberedKey } from './registry/log-files.ts';
import { parseRecipeRef } from './registry/model-fold.ts';

/** An event with the bytes of its blob, to be copied as they are. */
export interface CopiedEvent extends StoredEvent {
  readonly key: string;
  readonly bytes: Uint8Array;
}

const READ_AT_ONCE = 32;

/**
 * Reads the events that a destination lacks, after comparing the last one that both have.
 * @throws IngotError `conflict` when the destination's log is not how the source's begins; `tampered` when the source's is not whole.
 */
export async function newEvents(
  stores: { readonly source: BlobStore; readonly destination: BlobStore },
  log: { readonly prefix: string; readonly there: number; readonly length: number },
  options: BlobOptions,
): Promise<readonly CopiedEvent[]> {
  const { prefix, there, length } = log;
  const last = await compareLast(stores, log, options);
  const events: CopiedEvent[] = [];
  let previous = last;
  for (let from = there + 1; from <= length; from += READ_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(READ_AT_ONCE, length - from + 1) }, (_, n) => from + n);
    for (const event of await Promise.all(numbers.map((seq) => readEvent(stores.source, prefix, seq, options)))) {
      if (event.head.previous !== previous) throw tampered(event.key, 'does not follow from the event before it');
      previous = event.digest;
      events.push(event);
    }
  }
  return events;
}

async function compareLast(
  { source, destination }: { readonly source: BlobStore; readonly destination: BlobStore },
  { prefix, there, length }: { readonly prefix: string; readonly there: number; readonly length: number },
  options: BlobOptions,
): Promise<Digest | null> {
  if (there === 0) return null;
  const theirs = await readEvent(destination, prefix, there, options);
  const ours = there <= length ? await readEvent(source, prefix, there, options) : undefined;
  if (ours?.digest === theirs.digest) return ours.digest;
  const what =
    ours === undefined
      ? `event ${there} stands in ${destination.address}, but ${source.address} ends with event ${length}`
      : `event ${there} is ${theirs.digest} in ${destination.address} and ${ours.digest} in ${source.address}`;
  throw new IngotError('conflict', `the histories of ${prefix} differ, and nothing is merged: ${what}`, {
    operation: 'mirror',
    hint: 'mirror to an empty address, or find out which of the two was restored from an old copy',
    details: { log: prefix, seq: there, destination: theirs.digest, source: ours?.digest ?? null },
  });
}

async function readEvent(blobs: BlobStore, prefix: string, seq: number, options: BlobOptions): Promise<CopiedEvent> {
  const key = numberedKey(`${prefix}/log`, seq);
  const bytes = await readIfPresent(blobs, key, options);
  if (bytes === undefined) throw tampered(key, `is missing from ${blobs.address}, though later events are there`);
  return { key, bytes, ...parseEvent(bytes, key, seq) };
}

/** Recipes that the destination needs for these events: of what they publish or attach and do not take back. */
export function recipesOf(events: readonly CopiedEvent[]): readonly RecipeRef[] {
  if (events.some(({ head }) => head.kind === 'closed')) return [];
  const numberOf = ({ body, key }: CopiedEvent) => body && new Fields(body, key).positive('number');
  const deleted = new Set(events.filter(({ head }) => head.kind === 'version-deleted').map(numberOf));
  return events.flatMap((event) => {
    const { head, body, key } = event;
    const isVersion = head.kind === 'version-published';
    if (body === undefined || !(isVersion || (head.kind === 'attached' && body.recipe !== undefined))) return [];
    if (isVersion && deleted.has(numberOf(event))) return [];
    return [parseRecipeRef(new Fields(body, key).inner('recipe'))];
  });
}

/**
 * Writes an event, or a cache of events, as it is.
 * @throws IngotError `conflict` when something else stands there.
 */
export async function putExactly(
  destination: BlobStore,
  key: string,
  bytes: Uint8Array,
  options: BlobOptions,
): Promise<void> {
  if ((await destination.write(key, bodyOf(bytes), options)) === 'created') return;
  const standing = await readIfPresent(destination, key, options);
  if (standing?.equals(bytes) === true) return;
  throw new IngotError('conflict', `${key} of ${destination.address} is not what is mirrored`, {
    operation: 'mirror',
    hint: 'something else writes to the mirror: mirror to an address of its own',
    details: { key },
  });
}
