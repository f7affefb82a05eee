/**
 * The *indexed registry* answers from the index and writes to the logs: a write is answered when its events are in the
 * index, so whoever reads after it sees it, at any server over the same database.
 */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName, Reference } from '@ingot/core/ref';
import type { AttachmentWriter } from '@ingot/core/registry/attachments';
import type { StoredEvent } from '@ingot/core/registry/events';
import type { Registry, ResolvedVersion } from '@ingot/core/registry/registry';
import type { Database } from '../database/database.ts';
import type { Log } from '../services.ts';
import { resolveAsOf } from './as-of.ts';
import { Follower } from './follower.ts';
import { HotModels } from './hot-models.ts';
import { createIndexedReads } from './indexed-reads.ts';
import { NAMES } from './projector.ts';
import { createStoreWatch, type StoreWatch } from './store-watch.ts';
import type { LogProblemRow } from './tables.ts';

/** Is told of events once they are in the index: the log (`names`, or a model's id) and the events, in order. */
export type EventListener = (log: string, events: readonly StoredEvent[]) => void;

/** The index as the rooms of the server use it, besides its tables. */
export interface ModelIndex {
  /** Tells a listener of events that this process brings into the index, until the function that it gives is called. */
  subscribe(listener: EventListener): () => void;
  /** Forgets what is kept in memory of a model, whose rows were changed by somebody else than its log. */
  forget(modelId: string): void;
  /** Says which model has a name now, and which event of its log is the last one here. Throws `model-not-found`. */
  placeOf(name: ModelName): Promise<{ readonly id: string; readonly seq: number }>;
  /**
   * Gives an object that stays the same one until something of the model that has a name now changes: what is read
   * after it was given may be kept by it. Throws `model-not-found`, and what is wrong with the model's log.
   */
  markOf(name: ModelName): Promise<object>;
  /** The same where it is known without asking; undefined: {@link markOf} must be asked. */
  markNow(name: ModelName): object | undefined;
  /** The same of the model with an id. */
  markWithId(id: string): object | undefined;
  /**
   * Waits until a model's log is in the index up to some event, and reads the log where needed; false when the storage
   * shows it too late. A log that ends before that event is that of another model, which got the name since: true.
   */
  reach(name: ModelName, seq: number, timeoutMs: number): Promise<boolean>;
  /**
   * Resolves a reference as it was at some time: by the order of the log, what was its last event then.
   * @throws IngotError as resolving does.
   */
  resolveAsOf(reference: Reference, at: Date): Promise<ResolvedVersion>;
  /** Logs that cannot be followed, and why. */
  problems(): Promise<readonly LogProblemRow[]>;
  /** Looks at the log of a model (default: of all) now. */
  refresh(name?: ModelName): Promise<void>;
}

/** What an index is opened with. */
export interface IndexedRegistryOptions {
  readonly database: Database;
  readonly blobs: BlobStore;
  /** Opens the registry in the store's logs; `onEvent` must be told of what it has written. */
  readonly openRegistry: (
    onEvent: (log: string, event: StoredEvent) => void,
  ) => Registry & AttachmentWriter & Partial<AsyncDisposable>;
  readonly log: Log;
  readonly now: () => Date;
  /** Whether others write to the same index. Default: whether it is Postgres. */
  readonly isShared?: boolean;
}

/** An opened index. Disposing it ends its looks at the store. */
export interface IndexedRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly attachments: AttachmentWriter;
  readonly index: ModelIndex;
  readonly follower: Follower;
  readonly watch: StoreWatch;
}

/** Puts an index before the registry of a store. Nothing is asked of the store yet. */
export function openIndexedRegistry(options: IndexedRegistryOptions): IndexedRegistry {
  const { database, blobs, log, now } = options;
  const hot = new HotModels();
  const listeners = new Set<EventListener>();
  const follower = new Follower({ index: database.index, blobs, log, now, onProjected });
  const isShared = options.isShared ?? database.kind === 'postgres';
  const reads = createIndexedReads({ index: database.index, follower, hot, isShared, log });
  const own = new OwnEvents(follower);
  const logs = options.openRegistry((place, event) => own.written(place.replace(/^models\//, ''), event));
  const watch = createStoreWatch({ index: database.index, blobs, follower, log, now });

  function onProjected(name: string, events: readonly StoredEvent[]): void {
    if (name === NAMES) hot.clear();
    else hot.advance(name, events);
    for (const listener of listeners) listener(name, events);
  }

  const { hotModel, ...reading } = reads;
  return {
    registry: { ...writesOf(logs, own), ...agreements(logs), ...reading },
    attachments: {
      attach: (...args) => own.during(() => logs.attach(...args)),
      detach: (...args) => own.during(() => logs.detach(...args)),
    },
    index: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      forget: (modelId) => hot.forget(modelId),
      placeOf: async (name) => {
        const { id, seq } = await hotModel(name);
        return { id, seq };
      },
      markOf: (name) => hotModel(name),
      markNow: (name) => (isShared ? undefined : hot.get(name)),
      markWithId: (id) => (isShared ? undefined : hot.withId(id)),
      reach: (name, seq, timeoutMs) => reach(name, seq, timeoutMs),
      resolveAsOf: async (reference, at) => resolveAsOf(database.index, await hotModel(reference.name), reference, at),
      problems: () => database.index.selectFrom('log_problems').selectAll().orderBy('log').execute(),
      refresh: async (name) => (name === undefined ? watch.sweep() : follower.verify((await hotModel(name)).id)),
    },
    follower,
    watch,
    async [Symbol.asyncDispose]() {
      await watch[Symbol.asyncDispose]();
      await follower.idle();
      await logs[Symbol.asyncDispose]?.();
    },
  };

  /** Writes that may find that somebody else has written the same, whose event no look at the store has found yet. */
  function agreements(writes: Registry): Pick<Registry, 'ensureModel' | 'publish'> {
    return {
      async ensureModel(...args) {
        const ensured = await own.during(() => writes.ensureModel(...args));
        if (!ensured.isNew && !(await isNamed(ensured.id))) await follower.catchUp(NAMES);
        return ensured;
      },
      async publish(name, ...args) {
        const published = await own.during(() => writes.publish(name, ...args));
        if (published.existed) await follower.catchUp((await hotModel(name)).id);
        return published;
      },
    };
  }

  async function isNamed(id: string): Promise<boolean> {
    const found = database.index.selectFrom('models').select('id').where('id', '=', id).where('name', 'is not', null);
    return (await found.executeTakeFirst()) !== undefined;
  }

  async function reach(name: ModelName, seq: number, timeoutMs: number): Promise<boolean> {
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      if ((await hotModel(name)).seq >= seq) return true;
      await follower.catchUp(NAMES);
      const { id } = await hotModel(name);
      await follower.catchUp(id);
      if ((await follower.placeOf(id)).seq >= seq) return true;
      // The log was read to its end: what has more events is another model, which had the name before.
      if (blobs.capabilities.stalenessMs === 0) return true;
      if (performance.now() >= endsAt) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, timeoutMs)));
    }
  }
}

/** Events that this process has written, until they are in the index. */
class OwnEvents {
  readonly #follower: Follower;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown; readonly count: number } = { error: undefined, count: 0 };

  constructor(follower: Follower) {
    this.#follower = follower;
  }

  written(log: string, event: StoredEvent): void {
    const projecting = this.#follower.told(log, event).catch((error: unknown) => {
      this.#failure = { error, count: this.#failure.count + 1 };
    });
    const running = projecting.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Does a write, and waits until what it wrote is in the index; also when it fails, for it may have written something. */
  async during<Result>(write: () => Promise<Result>): Promise<Result> {
    const { count } = this.#failure;
    try {
      return await write();
    } finally {
      if (this.#running.size > 0) await Promise.all(this.#running);
      if (this.#failure.count > count) this.#refuse();
    }
  }

  #refuse(): never {
    const { error } = this.#failure;
    throw new IngotError('unavailable', 'it was written to the store, but the index could not be brought up to it', {
      retryable: true,
      hint: 'ask again: it is there once the database answers',
      cause: error,
      ...(isIngotError(error) ? { details: { reason: error.message } } : {}),
    });
  }
}

type Writes = Omit<
  Registry,
  'resolve' | 'models' | 'model' | 'version' | 'history' | 'previousAliasTarget' | 'ensureModel' | 'publish'
>;

function writesOf(logs: Registry, own: OwnEvents): Writes {
  return {
    updateModel: (...args) => own.during(() => logs.updateModel(...args)),
    update: (...args) => own.during(() => logs.update(...args)),
    setStage: (...args) => own.during(() => logs.setStage(...args)),
    approve: (...args) => own.during(() => logs.approve(...args)),
    withdrawApproval: (...args) => own.during(() => logs.withdrawApproval(...args)),
    setHold: (...args) => own.during(() => logs.setHold(...args)),
    releaseHold: (...args) => own.during(() => logs.releaseHold(...args)),
    setAlias: (...args) => own.during(() => logs.setAlias(...args)),
    removeAlias: (...args) => own.during(() => logs.removeAlias(...args)),
    retire: (...args) => own.during(() => logs.retire(...args)),
    deleteVersion: (...args) => own.during(() => logs.deleteVersion(...args)),
    deleteModel: (...args) => own.during(() => logs.deleteModel(...args)),
    rename: (...args) => own.during(() => logs.rename(...args)),
    // The index has no salts: what lies in the store is read there.
    log: (...args) => logs.log(...args),
    ...(logs.prepareWrite === undefined ? {} : { prepareWrite: logs.prepareWrite }),
  };
}
