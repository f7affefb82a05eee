import type { BlobEntry, BlobStore } from '../blob-store.ts';

/** One call of a blob store, as an observer sees it. */
export interface BlobCall {
  readonly operation: 'stat' | 'read' | 'write' | 'delete' | 'list';
  /** The key, or the prefix of a listing. */
  readonly key: string;
  /** Counts all calls of this store from 1. */
  readonly number: number;
}

/** Looks on, or meddles: what it throws fails the call. */
export interface BlobObserver {
  /** Runs before the call reaches the storage. */
  readonly before?: (call: BlobCall) => void | Promise<void>;
  /** Runs after the storage has done it; failing here is a lost reply. */
  readonly after?: (call: BlobCall) => void | Promise<void>;
  /** Sees every piece that is read and may give another in its place. */
  readonly piece?: (call: BlobCall, bytes: Uint8Array) => Uint8Array;
}

/**
 * Puts an observer before a blob store: counts requests, injects faults, shows what is asked.
 *
 * @example
 * const failing = observed(store, { before: ({ number }) => { if (number === 3) throw new IngotError('unavailable', 'gone'); } });
 */
export function observed(inner: BlobStore, observer: BlobObserver): BlobStore {
  let calls = 0;
  const begin = async (operation: BlobCall['operation'], key: string): Promise<BlobCall> => {
    calls += 1;
    const call = { operation, key, number: calls };
    await observer.before?.(call);
    return call;
  };
  const around = async <T>(operation: BlobCall['operation'], key: string, work: () => Promise<T>): Promise<T> => {
    const call = await begin(operation, key);
    const result = await work();
    await observer.after?.(call);
    return result;
  };
  return {
    address: inner.address,
    capabilities: inner.capabilities,
    stat: (key, options) => around('stat', key, () => inner.stat(key, options)),
    write: (key, body, options) => around('write', key, () => inner.write(key, body, options)),
    delete: (key, options) => around('delete', key, () => inner.delete(key, options)),
    read: async function* (key, options): AsyncIterable<Uint8Array> {
      const call = await begin('read', key);
      for await (const bytes of inner.read(key, options)) yield observer.piece?.(call, bytes) ?? bytes;
      await observer.after?.(call);
    },
    list: async function* (prefix, options): AsyncIterable<BlobEntry> {
      const call = await begin('list', prefix);
      yield* inner.list(prefix, options);
      await observer.after?.(call);
    },
    ...(inner.localPath === undefined ? {} : { localPath: inner.localPath.bind(inner) }),
    ...(inner.versions === undefined ? {} : { versions: inner.versions.bind(inner) }),
    ...(inner.signed === undefined ? {} : { signed: inner.signed.bind(inner) }),
  };
}
