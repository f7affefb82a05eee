import assert from 'node:assert/strict';
import type { ErrorCode } from '../../errors.ts';
import { isIngotError } from '../../errors.ts';
import type { BlobBody, BlobStore } from '../blob-store.ts';

/** One empty storage. Every `open` gives another client of it, as another process would have. */
export interface BlobStoreSubject {
  open(): BlobStore | Promise<BlobStore>;
}

/** A statement about blob stores and the code that shows it; `run` rejects when it is false. */
export interface BlobStoreCase {
  readonly name: string;
  run(subject: BlobStoreSubject): Promise<void>;
}

/** Asserts that work fails with one of the given codes. */
export async function failsWith(work: () => Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert.ok(isIngotError(error, ...codes), `expected ${codes.join(' or ')}, got ${String(error)}`);
    return;
  }
  assert.fail(`expected ${codes.join(' or ')}, but nothing failed`);
}

/** Collects the keys of a listing. */
export async function keysOf(store: BlobStore, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, after === undefined ? {} : { after })) keys.push(key);
  return keys;
}

/** A body that says one size and gives these pieces. */
export function bodySaying(sizeBytes: number, pieces: readonly Uint8Array[]): BlobBody {
  return {
    sizeBytes,
    open: async function* () {
      yield* pieces;
    },
  };
}
