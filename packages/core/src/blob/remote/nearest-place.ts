import { IngotError, isIngotError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';

/** Names are a help: nobody waits longer for them. */
const PATIENCE_MS = 3000;

/** Lists the names of the buckets or containers that are there. */
export type ListPlaces = (signal: AbortSignal) => Promise<readonly string[]>;

/**
 * Adds to an error that says that a bucket or container is not there (`store-not-found`) the nearest name of those that
 * are; other errors stay what they are. Whoever may not list the names, or would wait too long for them, gets the plain
 * error. Never throws.
 */
export async function withNearestPlace<T>(
  error: T,
  wanted: string,
  list: ListPlaces,
  signal: AbortSignal | undefined,
): Promise<T | IngotError> {
  if (!isIngotError(error, 'store-not-found') || error.nearest !== undefined) return error;
  const near = nearest(wanted, await inTime(list, signal));
  if (near === undefined) return error;
  const { code, message, operation, hint, details, cause } = error;
  return new IngotError(code, message, {
    nearest: near,
    details,
    cause,
    ...(operation === undefined ? {} : { operation }),
    ...(hint === undefined ? {} : { hint }),
  });
}

async function inTime(list: ListPlaces, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const until = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...(signal === undefined ? [] : [signal])]);
  if (until.aborted) return [];
  const tooLate = new Promise<readonly string[]>((resolve) => {
    until.addEventListener('abort', () => resolve([]), { once: true });
  });
  try {
    return await Promise.race([list(until), tooLate]);
  } catch {
    // What is told is what was asked first.
    return [];
  }
}
