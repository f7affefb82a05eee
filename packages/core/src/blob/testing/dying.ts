import { kill, pid } from 'node:process';
import type { BlobStore } from '../blob-store.ts';
import { observed } from '../layers/observed.ts';

/** A store in which this process dies, and how many writes and deletes it has begun. */
export interface DyingBlobs {
  readonly blobs: BlobStore;
  changes(): number;
}

/** Kills this process at a write or delete: `before:K` or `after:K` for the K-th of them, or `none`. */
export function dying(store: BlobStore, fault: string): DyingBlobs {
  const [when, step] = fault.split(':');
  let changes = 0;
  // Several writes may be under way: which one is over is told by its call.
  const numbers = new Map<number, number>();
  const dieAt = (now: string, change: number | undefined): void => {
    if (now === when && change === Number(step)) kill(pid, 'SIGKILL');
  };
  const blobs = observed(store, {
    before: ({ operation, number }) => {
      if (operation !== 'write' && operation !== 'delete') return;
      changes += 1;
      numbers.set(number, changes);
      dieAt('before', changes);
    },
    after: ({ number }) => dieAt('after', numbers.get(number)),
  });
  return { blobs, changes: () => changes };
}
