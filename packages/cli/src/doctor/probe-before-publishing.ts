import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import type { ProbeOptions } from '@ingot/core/blob/probe';
import { checkTrustworthy, probeStore } from '@ingot/core/blob/probe';
import { IngotError } from '@ingot/core/errors';
import { isTrusted, trust } from './trusted-stores.ts';

/** What probing needs besides the store. */
export interface PublishProbeOptions {
  /** Directory in the cache of what is remembered about the store. */
  readonly remembered: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Opens another client of the same storage, for the race. */
  readonly another: () => Promise<BlobStore>;
}

/**
 * Makes sure, before the first change from this machine and then once in 30 days, that the storage lets exactly one
 * writer create a key. A directory of this machine is left to `doctor`: there the kernel decides.
 * @throws IngotError `refused` when it does not, or when the storage takes no writes at all.
 */
export async function probeBeforePublishing(blobs: BlobStore, options: PublishProbeOptions): Promise<void> {
  const { capabilities, address } = blobs;
  if (capabilities.readOnly)
    throw new IngotError('refused', `${address} is read-only: nothing can be changed there`, {
      operation: 'store.open',
      hint: 'INGOT_REGISTRY=s3://bucket/team',
    });
  if (capabilities.localFiles && capabilities.createIfAbsent === 'yes') return;
  if (await isTrusted(options.remembered, options.now())) return;
  const report = await probeStore(blobs, probeOptions(options.signal, [await options.another()]));
  checkTrustworthy(address, report);
  await trust(options.remembered, options.now());
}

/** What a probe takes from this process. */
export function probeOptions(signal: AbortSignal, others: readonly BlobStore[]): ProbeOptions {
  return {
    id: randomBytes(16).toString('hex'),
    clock: () => performance.now(),
    sleep: (milliseconds) => sleep(milliseconds, undefined, { signal }),
    others,
    signal,
  };
}
