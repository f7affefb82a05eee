/**
 * The one place where calls to a storage are repeated: clients are told not to. A call is repeated when its error says
 * `retryable`, after a random wait that grows (full jitter), and never once the caller's signal has fired.
 */

import { isIngotError } from '../../errors.ts';
import type {
  BlobBody,
  BlobEntry,
  BlobOptions,
  BlobReadOptions,
  BlobStore,
  BlobVersion,
  BlobVersionOptions,
} from '../blob-store.ts';
import type { RetryOptions } from './patience.ts';
import { Patience } from './patience.ts';

/** A read that gave this much since it was last cut counts as getting somewhere, however often it is cut. */
const PROGRESS_BYTES = 65_536;

/**
 * Puts retries before a blob store.
 *
 * - `read` goes on with a range from the byte where it was cut. Blobs never change; whoever reads a file that others
 *   may overwrite names its `objectVersion` or compares its `revision` afterwards.
 * - `write` opens its body again. When a reply was lost, the next attempt finds the writer's own blob and says `exists`:
 *   callers that must know read it back (an event carries a random id), for others `exists` is as good as `created`.
 *   A failure of the body itself is not repeated here: whoever reads the body does that.
 * - `list` goes on after the last key, `stat` and `delete` are simply repeated.
 *
 * A storage that was given up on is asked once a call until it answers again, so that whoever can do without it (a model
 * server with a cache) does not wait each time.
 */
export function retrying(inner: BlobStore, options: RetryOptions = {}): BlobStore {
  const patience = new Patience(options);
  const { versions } = inner;
  const store: BlobStore = {
    address: inner.address,
    capabilities: inner.capabilities,
    stat: (key, call) => patience.repeat(() => inner.stat(key, call), call?.signal),
    delete: (key, call) => patience.repeat(() => inner.delete(key, call), call?.signal),
    read: (key, call) => readOn(inner, patience, key, call),
    write: (key, body, call) => writeAgain(inner, patience, key, body, call),
    list: (prefix, call) => listOn(inner, patience, prefix, call),
  };
  if (inner.localPath !== undefined) store.localPath = inner.localPath.bind(inner);
  if (inner.signed !== undefined) store.signed = inner.signed.bind(inner);
  if (versions !== undefined) store.versions = (key, call) => versionsOn(versions.bind(inner), patience, key, call);
  return store;
}

type Versions = (key: string, options?: BlobOptions) => AsyncIterable<BlobVersion>;

async function* readOn(
  inner: BlobStore,
  patience: Patience,
  key: string,
  options: BlobReadOptions = {},
): AsyncIterable<Uint8Array> {
  const course = patience.course(options.signal);
  const { start = 0, end } = options.range ?? {};
  let at = start;
  let counted = start;
  for (;;) {
    try {
      const resumed =
        at === start ? options : { ...options, range: end === undefined ? { start: at } : { start: at, end } };
      for await (const piece of inner.read(key, resumed)) {
        at += piece.byteLength;
        yield piece;
        if (at - counted >= PROGRESS_BYTES) {
          course.progressed();
          counted = at;
        }
      }
      patience.answered();
      return;
    } catch (thrown) {
      // A reply that is cut after its last byte has said all.
      if (end !== undefined && at >= end && at > start && isIngotError(thrown) && thrown.retryable) return;
      await course.failed(thrown);
    }
  }
}

async function writeAgain(
  inner: BlobStore,
  patience: Patience,
  key: string,
  body: BlobBody,
  options: BlobOptions | undefined,
): Promise<'created' | 'exists'> {
  let broken: { readonly cause: unknown } | undefined;
  const watched: BlobBody = {
    sizeBytes: body.sizeBytes,
    open: async function* () {
      try {
        yield* body.open();
      } catch (cause) {
        broken = { cause };
        throw cause;
      }
    },
  };
  const course = patience.course(options?.signal);
  for (;;) {
    try {
      const result = await inner.write(key, watched, options);
      patience.answered();
      return result;
    } catch (thrown) {
      if (broken !== undefined) throw broken.cause;
      await course.failed(thrown);
    }
  }
}

async function* listOn(
  inner: BlobStore,
  patience: Patience,
  prefix: string,
  options: BlobOptions & { readonly after?: string } = {},
): AsyncIterable<BlobEntry> {
  const course = patience.course(options.signal);
  let last: string | undefined;
  for (;;) {
    try {
      for await (const entry of inner.list(prefix, last === undefined ? options : { ...options, after: last })) {
        last = entry.key;
        course.progressed();
        yield entry;
      }
      patience.answered();
      return;
    } catch (thrown) {
      await course.failed(thrown);
    }
  }
}

async function* versionsOn(
  versions: Versions,
  patience: Patience,
  key: string,
  options: BlobVersionOptions | undefined,
): AsyncIterable<BlobVersion> {
  const course = patience.course(options?.signal);
  const given = new Set<string>();
  for (;;) {
    try {
      for await (const version of versions(key, options)) {
        if (given.has(version.objectVersion)) continue;
        given.add(version.objectVersion);
        course.progressed();
        yield version;
      }
      patience.answered();
      return;
    } catch (thrown) {
      await course.failed(thrown);
    }
  }
}
