import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../blob/bytes.ts';
import { isIngotError } from '../errors.ts';
import { lostItsSum } from '../sum.ts';
import { parseEvent, type StoredEvent } from './events.ts';
import { numberedKey } from './log-files.ts';

const EVENT = /^(names|models\/[^/]+)\/log\/([0-9]{10})\.json$/;

/**
 * Puts back an event that is damaged or missing, from a mirror. The copy must be whole, and the events before and after
 * it must name it by its digest, so that nobody can put anything else there; behind the newest event nothing does, so the
 * caller makes sure that the mirror is one of this store. Mend the lower numbers first.
 * @returns whether it was put back.
 */
export async function mendEvent(
  blobs: BlobStore,
  mirror: Pick<BlobStore, 'read'>,
  key: string,
  options: BlobOptions = {},
): Promise<boolean> {
  const [, prefix, digits] = EVENT.exec(key) ?? [];
  if (prefix === undefined) return false;
  const seq = Number(digits);
  const bytes = await readIfPresent(mirror, key, options);
  const copy = bytes && wholeEvent(bytes, key, seq);
  if (bytes === undefined || copy === undefined) return false;
  const neighbour = async (number: number): Promise<StoredEvent | undefined> => {
    const at = numberedKey(`${prefix}/log`, number);
    const found = number < 1 ? undefined : await readIfPresent(blobs, at, options);
    return found && wholeEvent(found, at, number);
  };
  const [before, after] = [await neighbour(seq - 1), await neighbour(seq + 1)];
  if (copy.head.previous !== (seq === 1 ? null : before?.digest)) return false;
  if (after !== undefined && after.head.previous !== copy.digest) return false;
  await blobs.delete(key, options);
  return (await blobs.write(key, bodyOf(bytes), options)) === 'created';
}

function wholeEvent(bytes: Uint8Array, key: string, seq: number): StoredEvent | undefined {
  try {
    const event = parseEvent(bytes, key, seq);
    return lostItsSum(JSON.parse(Buffer.from(bytes).toString()), ['head', 'salt', 'body']) ? undefined : event;
  } catch (error) {
    if (isIngotError(error, 'tampered', 'integrity')) return undefined;
    throw error;
  }
}
