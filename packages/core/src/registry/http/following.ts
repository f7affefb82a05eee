import { isIngotError } from '../../errors.ts';
import { formatReference, type ModelName, type Reference } from '../../ref.ts';
import type { RegistryOptions, ResolvedVersion, VersionResolver } from '../registry.ts';
import { readEvents, type ServerEvent } from './read-events.ts';
import type { ServerClient } from './server-client.ts';

/** Options of {@link FollowingResolver}. */
export interface FollowingOptions {
  /** Between 0 and 1; spreads the returns of many servers. Default: `Math.random`. */
  readonly random?: () => number;
}

const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** With more models than that, everything is followed. */
const MOST_MODELS = 50;

/**
 * Resolves over a server without asking again for what has not changed: once a reference is resolved for the second
 * time, the server's events are followed, and only what they touch is asked anew. While the stream is down, every
 * resolution asks.
 */
export class FollowingResolver implements VersionResolver, Disposable {
  readonly #inner: VersionResolver;
  readonly #client: ServerClient;
  readonly #random: () => number;
  readonly #asked = new Set<string>();
  readonly #models = new Set<ModelName>();
  readonly #known = new Map<string, ResolvedVersion>();
  readonly #ended = new AbortController();
  #round = new AbortController();
  #isLive = false;
  #isFollowing = false;
  /** Grows with every change that may touch an answer which is under way. */
  #changes = 0;
  #lastId: string | undefined;

  constructor(inner: VersionResolver, client: ServerClient, options: FollowingOptions = {}) {
    this.#inner = inner;
    this.#client = client;
    this.#random = options.random ?? Math.random;
  }

  async resolve(reference: Reference, options?: RegistryOptions): Promise<ResolvedVersion> {
    const key = formatReference(reference);
    const known = this.#isLive ? this.#known.get(key) : undefined;
    if (known !== undefined) return known;
    if (this.#asked.has(key)) this.#follow(reference.name);
    this.#asked.add(key);
    const before = this.#changes;
    const resolved = await this.#inner.resolve(reference, options);
    if (this.#isLive && this.#models.has(reference.name) && this.#changes === before) this.#known.set(key, resolved);
    return resolved;
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    this.#round.abort();
    this.#forgetAll();
  }

  #follow(name: ModelName): void {
    if (this.#ended.signal.aborted) return;
    if (!this.#models.has(name)) {
      this.#models.add(name);
      // The stream that is open does not tell of this model.
      if (this.#models.size <= MOST_MODELS + 1) this.#round.abort();
    }
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    void this.#keepFollowing();
  }

  async #keepFollowing(): Promise<void> {
    let failures = 0;
    while (!this.#ended.signal.aborted) {
      this.#round = new AbortController();
      const wasLive = await this.#followOnce();
      this.#forgetAll();
      if (this.#ended.signal.aborted) return;
      failures = wasLive ? 0 : failures + 1;
      if (this.#round.signal.aborted) continue;
      const longest = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** failures);
      await pause((0.5 + this.#random() / 2) * longest, this.#ended.signal);
    }
  }

  /** Follows until the stream ends; says whether it had begun. */
  async #followOnce(): Promise<boolean> {
    const models = this.#models.size > MOST_MODELS ? [] : [...this.#models];
    const signal = AbortSignal.any([this.#ended.signal, this.#round.signal]);
    try {
      const path = `/events${models.length === 0 ? '' : `?${models.map((name) => `model=${encodeURIComponent(name)}`).join('&')}`}`;
      const headers: Record<string, string> = this.#lastId === undefined ? {} : { 'last-event-id': this.#lastId };
      const reply = await this.#client.stream({ path, headers, signal });
      for await (const event of readEvents(reply.body())) this.#take(event);
    } catch (error) {
      // The stream only spares questions: without it every resolution asks, and tells what is wrong.
      if (!isIngotError(error)) throw error;
    }
    return this.#isLive;
  }

  #take({ name, id, data }: ServerEvent): void {
    if (id !== undefined) this.#lastId = id;
    if (!this.#isLive) {
      this.#isLive = true;
      this.#changes += 1;
    }
    if (name === undefined) return;
    this.#changes += 1;
    const touched = name === 'reset' ? undefined : modelsIn(data);
    if (touched === undefined) this.#known.clear();
    else for (const [key, { model }] of this.#known) if (touched.has(model)) this.#known.delete(key);
  }

  #forgetAll(): void {
    this.#isLive = false;
    this.#changes += 1;
    this.#known.clear();
  }
}

/** The models that an event is about; undefined: that cannot be told. */
function modelsIn(data: unknown): ReadonlySet<unknown> | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const model: unknown = Reflect.get(data, 'model');
  const renames: unknown = Reflect.get(data, 'renames');
  return typeof model === 'string' && renames === undefined ? new Set([model]) : undefined;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(clock);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const clock = setTimeout(done, milliseconds);
    clock.unref();
    signal.addEventListener('abort', done, { once: true });
  });
}
