import type { BlobEntry, BlobOptions, BlobStore } from './blob/blob-store.ts';

/** What an operation that crashed throws at every request from then on. */
export class Crashed extends Error {}

/** A rule of the protocol that is broken on purpose. */
export type Sabotage =
  | 'pushes-ignore-condemned-lists'
  | 'roots-read-before-the-list'
  | 'logs-read-before-the-list'
  | 'uploads-dropped-without-an-event'
  | 'each-collection-decides-alone'
  | 'root-released-before-event';

const KEYS_A_PAGE = 3;

/** Decides whose request comes next. */
export class Turns {
  /** Requests so far. */
  count = 0;
  readonly #random: () => number;
  readonly #waiting: { readonly actor: string; readonly go: () => void }[] = [];
  readonly #crashAfter = new Map<string, number>();
  readonly #stallAfter = new Map<string, { after: number; readonly until: number }>();
  readonly #stalled = new Map<string, number>();
  /** How often the actor whose turn it was has the next one too: long runs meet races that constant change does not. */
  readonly #stickiness: number;
  #last = '';

  constructor(random: () => number) {
    this.#random = random;
    this.#stickiness = [0, 0.8, 0.95, 0.98][Math.floor(random() * 4)] ?? 0;
  }

  /** Lets an actor crash after so many more requests. */
  crash(actor: string, after: number): void {
    this.#crashAfter.set(actor, after);
  }

  /** Lets an actor stand still after so many more requests, until others have made many. */
  stall(actor: string, after: number, requests: number): void {
    this.#stallAfter.set(actor, { after, until: requests });
  }

  forget(actor: string): void {
    this.#crashAfter.delete(actor);
    this.#stallAfter.delete(actor);
    this.#stalled.delete(actor);
  }

  /** Waits for a turn. Throws {@link Crashed}. */
  async take(actor: string): Promise<void> {
    if (this.#isCrashed(actor)) throw new Crashed();
    await new Promise<void>((go) => this.#waiting.push({ actor, go }));
    if (this.#isCrashed(actor)) throw new Crashed();
    this.#countDown(actor);
  }

  /** Gives turns until the work is done. */
  async drive(work: Promise<unknown>): Promise<void> {
    let isDone = false;
    const ended = work.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await new Promise((settled) => setImmediate(settled));
      const chosen = this.#choose();
      if (chosen === undefined) continue;
      this.count += 1;
      chosen.go();
    }
    await ended;
  }

  #choose(): { readonly go: () => void } | undefined {
    const able = this.#waiting.filter(({ actor }) => (this.#stalled.get(actor) ?? 0) <= this.count);
    const among = able.length > 0 ? able : this.#waiting;
    const same = this.#random() < this.#stickiness ? among.find(({ actor }) => actor === this.#last) : undefined;
    const chosen = same ?? among[Math.floor(this.#random() * among.length)];
    this.#last = chosen?.actor ?? '';
    if (chosen !== undefined) this.#waiting.splice(this.#waiting.indexOf(chosen), 1);
    return chosen;
  }

  #isCrashed(actor: string): boolean {
    return (this.#crashAfter.get(actor) ?? 1) <= 0;
  }

  #countDown(actor: string): void {
    const left = this.#crashAfter.get(actor);
    if (left !== undefined) this.#crashAfter.set(actor, left - 1);
    const stall = this.#stallAfter.get(actor);
    if (stall === undefined) return;
    stall.after -= 1;
    if (stall.after > 0) return;
    this.#stallAfter.delete(actor);
    this.#stalled.set(actor, this.count + stall.until);
  }
}

/** A store of which every request, and every page of a listing, waits for its turn. */
export function taking(inner: BlobStore, turns: Turns, actor: string): BlobStore {
  const turn = () => turns.take(actor);
  return {
    address: inner.address,
    capabilities: inner.capabilities,
    stat: async (key, options) => {
      await turn();
      return inner.stat(key, options);
    },
    write: async (key, body, options) => {
      await turn();
      return inner.write(key, body, options);
    },
    delete: async (key, options) => {
      await turn();
      await inner.delete(key, options);
    },
    read: async function* (key, options) {
      await turn();
      yield* inner.read(key, options);
    },
    list: async function* (prefix, options: BlobOptions & { readonly after?: string } = {}) {
      for (let after = options.after; ; ) {
        await turn();
        const page: BlobEntry[] = [];
        for await (const entry of inner.list(prefix, { ...options, ...(after === undefined ? {} : { after }) })) {
          page.push(entry);
          if (page.length === KEYS_A_PAGE) break;
        }
        yield* page;
        after = page.at(-1)?.key;
        if (page.length < KEYS_A_PAGE) return;
      }
    },
  };
}

/** Breaks a rule for whoever plays the role that it binds. */
export function sabotaged(
  inner: BlobStore,
  role: 'push' | 'collect' | 'delete',
  sabotage: Sabotage | undefined,
): BlobStore {
  if (role === 'push' && sabotage === 'pushes-ignore-condemned-lists') return withoutPrefix(inner, 'gc/');
  if (role !== 'collect') return inner;
  if (sabotage === 'roots-read-before-the-list') return remembering(inner, 'roots/');
  if (sabotage === 'logs-read-before-the-list') return remembering(inner, 'models/');
  if (sabotage === 'uploads-dropped-without-an-event') return forgettingEvents(inner);
  if (sabotage === 'each-collection-decides-alone') return decidingAlone(inner);
  return inner;
}

function withoutPrefix(inner: BlobStore, prefix: string): BlobStore {
  return {
    ...inner,
    list: async function* (asked, options) {
      if (!asked.startsWith(prefix)) yield* inner.list(asked, options);
    },
  };
}

/** Shows what lay under a prefix when it was listed for the first time. */
function remembering(inner: BlobStore, prefix: string): BlobStore {
  let first: BlobEntry[] | undefined;
  return {
    ...inner,
    list: async function* (asked, options: BlobOptions & { readonly after?: string } = {}) {
      if (asked !== prefix) return yield* inner.list(asked, options);
      if (first === undefined) {
        first = [];
        for await (const entry of inner.list(asked)) first.push(entry);
      }
      yield* first.filter(({ key }) => options.after === undefined || key > options.after);
    },
  };
}

function forgettingEvents(inner: BlobStore): BlobStore {
  return {
    ...inner,
    write: async (key, body, options) => (key.startsWith('models/') ? 'created' : inner.write(key, body, options)),
  };
}

/** Final lists are seen by nobody but their maker. */
function decidingAlone(inner: BlobStore): BlobStore {
  const own = new Map<string, Uint8Array>();
  return {
    ...inner,
    write: async (key, body, options) => {
      if (!key.endsWith('.final.json')) return inner.write(key, body, options);
      const pieces: Uint8Array[] = [];
      for await (const piece of body.open()) pieces.push(piece);
      own.set(key, Buffer.concat(pieces));
      return 'created';
    },
    read: async function* (key, options) {
      const held = own.get(key);
      if (held === undefined) yield* inner.read(key, options);
      else yield held;
    },
    // Only the list itself says whether a decision counts; here it counts always.
    stat: async (key, options) =>
      /^gc\/[^.]+\.json$/.test(key) ? { sizeBytes: 1, modifiedAt: new Date(0) } : inner.stat(key, options),
  };
}
