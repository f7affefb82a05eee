import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf } from '../blob/bytes.ts';
import { IngotError, isIngotError } from '../errors.ts';

/** How far a writer's clock may be from the storage's. */
export const MAX_CLOCK_SKEW_MS = 5 * 60_000;

const RECHECK_AFTER_MS = 10 * 60_000;

/**
 * Makes a check that compares this machine's clock with the storage's, by the time of a canary written just now.
 * Three requests, at most once in ten minutes.
 * @throws (the check) IngotError `refused` when they are more than five minutes apart.
 */
export function createClockCheck(
  blobs: BlobStore,
  now: () => Date,
  random: (size: number) => Uint8Array = randomBytes,
): (options: BlobOptions) => Promise<void> {
  let checkedAt = Number.NEGATIVE_INFINITY;
  let checking: Promise<void> | undefined;
  return async (options) => {
    const ownTime = now().getTime();
    if (Math.abs(ownTime - checkedAt) < RECHECK_AFTER_MS) return;
    // Who comes while somebody looks waits for that; a failure is not kept.
    checking ??= check(ownTime, options).finally(() => {
      checking = undefined;
    });
    await checking;
  };

  async function check(ownTime: number, options: BlobOptions): Promise<void> {
    const storageTime = await timeOfStorage(blobs, `changes/clock/${Buffer.from(random(16)).toString('hex')}`, options);
    const skewMs = ownTime - storageTime.getTime();
    if (Math.abs(skewMs) > MAX_CLOCK_SKEW_MS) throw refusal(skewMs, storageTime, blobs.address);
    checkedAt = ownTime;
  }
}

async function timeOfStorage(blobs: BlobStore, key: string, options: BlobOptions): Promise<Date> {
  await blobs.write(key, bodyOf('{}\n'), { ...options, expendable: true });
  try {
    const stat = await blobs.stat(key, options);
    if (stat !== undefined) return stat.modifiedAt;
  } finally {
    await removed(blobs, key, options);
  }
  throw new IngotError('unavailable', `${blobs.address} does not show what was just written to it`);
}

// Who may only create leaves it; whatever lies under `changes/` may be deleted any time.
async function removed(blobs: BlobStore, key: string, options: BlobOptions): Promise<void> {
  try {
    await blobs.delete(key, options);
  } catch (error) {
    if (!isIngotError(error, 'forbidden', 'refused')) throw error;
  }
}

function refusal(skewMs: number, storageTime: Date, address: string): IngotError {
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return new IngotError(
    'refused',
    `this machine's clock is ${minutes} minutes ${direction} the clock of ${address} (${storageTime.toISOString()}), ` +
      'so what it writes would stand in the history at a wrong time',
    { hint: 'set the clock, for example with: timedatectl set-ntp true', details: { skewMs } },
  );
}
