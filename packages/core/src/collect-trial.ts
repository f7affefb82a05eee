/**
 * A trial lets pushes, deletions and collections run over one store in memory, and decides before every single request
 * whose turn it is, from a seed. Writers crash or stand still at any request. After everything that deletes a pack, all
 * versions that stand are read whole. With *sabotage* one rule of the protocol is broken, and the trial must notice.
 */

import { createHash } from 'node:crypto';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createStore } from './content/store-format.ts';
import { collect } from './collect.ts';
import { IngotError, isIngotError } from './errors.ts';
import { type ModelName, parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import { randomOf } from './seeded-random.ts';
import { type PushTools, pushOnce } from './collect-trial-push.ts';
import { Verifier } from './collect-trial-verify.ts';
import { Crashed, type Sabotage, sabotaged, Turns, taking } from './collect-trial-turns.ts';

/** Options of {@link runTrial}. */
export interface TrialOptions {
  readonly seed: number;
  /** How many pushes, deletions and collections are begun. */
  readonly operations: number;
  /** How many may be in flight at once. Default: 4. */
  readonly atOnce?: number;
  /** Milliseconds of the trial's own clock, which goes on by one with each request. Default: 0. */
  readonly graceMs?: number;
  /** Share of operations that crash on the way. Default: 0.15. */
  readonly crashes?: number;
  /** Share of operations that stand still on the way until others have done much. Default: 0.1. */
  readonly stalls?: number;
  readonly sabotage?: Sabotage;
  /** Makes a push; default: one that follows the protocol request by request. */
  readonly push?: (tools: PushTools) => Promise<void>;
}

/** What happened. */
export interface TrialResult {
  readonly requests: number;
  readonly published: number;
  readonly deletedVersions: number;
  readonly collections: number;
  readonly deletedPacks: number;
  readonly movedPacks: number;
  readonly expired: number;
  readonly crashed: number;
  readonly stalled: number;
  /** Contents that a version needs and nobody has any more. */
  readonly missing: readonly string[];
  /** Failures that no operation should have. */
  readonly surprises: readonly string[];
}

const MODELS = ['a', 'b'].map((name) => parseModelName(name));

/** Runs one trial. The same options give the same result. */
export async function runTrial(options: TrialOptions): Promise<TrialResult> {
  return new Trial(options).run();
}

class Trial {
  readonly #options: TrialOptions;
  readonly #random: () => number;
  readonly #turns: Turns;
  readonly #store: BlobStore;
  readonly #verifier: Verifier;
  readonly #packsOfTheDead: string[] = [];
  readonly #missing = new Set<string>();
  readonly #surprises = new Set<string>();
  readonly #count = { published: 0, deletedVersions: 0, collections: 0, crashed: 0, stalled: 0 };
  #deletedPacks = 0;
  #movedPacks = 0;
  #expired = 0;
  #ids = 0;
  #verifying: Promise<void> = Promise.resolve();

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.#turns = new Turns(this.#random);
    const now = () => new Date(1_700_000_000_000 + this.#turns.count);
    this.#store = createMemoryBlobStore({ now });
    this.#verifier = new Verifier(this.#store);
  }

  async run(): Promise<TrialResult> {
    await createStore(this.#store);
    let begun = 0;
    const hand = async (): Promise<void> => {
      while (begun < this.#options.operations && this.#missing.size === 0) {
        begun += 1;
        await this.#operation(`actor-${begun}`);
      }
    };
    const hands = Array.from({ length: this.#options.atOnce ?? 4 }, hand);
    await this.#turns.drive(Promise.all(hands));
    await this.#verifying;
    if (this.#missing.size === 0) await this.#verify(true);
    return {
      requests: this.#turns.count,
      ...this.#count,
      deletedPacks: this.#deletedPacks,
      movedPacks: this.#movedPacks,
      expired: this.#expired,
      missing: [...this.#missing],
      surprises: [...this.#surprises],
    };
  }

  async #operation(actor: string): Promise<void> {
    const { crashes = 0.15, stalls = 0.1 } = this.#options;
    const dice = this.#random();
    const after = Math.floor(this.#random() * 60);
    if (dice < crashes) this.#turns.crash(actor, after);
    else if (dice < crashes + stalls) this.#turns.stall(actor, after, Math.floor(this.#random() * 600));
    if (dice < crashes + stalls && dice >= crashes) this.#count.stalled += 1;
    const sort = this.#random();
    try {
      if (sort < 0.5) await this.#push(actor);
      else if (sort < 0.7) await this.#delete(actor);
      else await this.#collect(actor);
    } catch (error) {
      if (isCrash(error)) this.#count.crashed += 1;
      else if (!isExpected(error)) this.#surprises.add(String(error instanceof Error ? error.stack : error));
    }
    this.#turns.forget(actor);
  }

  #blobs(actor: string, role: 'push' | 'collect' | 'delete'): BlobStore {
    const watched: BlobStore = {
      ...this.#store,
      write: async (key, body, callOptions) => {
        const result = await this.#store.write(key, body, callOptions);
        if (result === 'created' && key.endsWith('.moved')) this.#movedPacks += 1;
        return result;
      },
      delete: async (key) => {
        await this.#store.delete(key);
        if (!key.startsWith('packs/')) return;
        if (key.endsWith('.pack')) this.#deletedPacks += 1;
        this.#verifying = this.#verifying.then(() => this.#verify());
        await this.#verifying;
      },
    };
    return taking(sabotaged(watched, role, this.#options.sabotage), this.#turns, actor);
  }

  #registry(actor: string, blobs: BlobStore) {
    return openLogRegistry({ blobs, actor, clock: this.#now, random: (size) => this.#bytes(size) });
  }

  readonly #now = (): Date => new Date(1_700_000_000_000 + this.#turns.count);

  // One byte is asked for to choose a pause: none is made.
  #bytes(size: number): Buffer {
    this.#ids += 1;
    if (size === 1) return Buffer.from([0]);
    return createHash('sha512').update(`${this.#options.seed} ${this.#ids}`).digest().subarray(0, size);
  }

  async #push(actor: string): Promise<void> {
    const blobs = this.#blobs(actor, 'push');
    const push = this.#options.push ?? pushOnce;
    const upload = this.#bytes(16).toString('hex');
    await push({
      blobs,
      registry: this.#registry(actor, blobs),
      name: this.#pick(MODELS),
      upload,
      random: this.#random,
      packsOfTheDead: this.#packsOfTheDead,
      releasesEarly: this.#options.sabotage === 'root-released-before-event',
      now: this.#now,
    });
    this.#count.published += 1;
  }

  async #delete(actor: string): Promise<void> {
    const blobs = this.#blobs(actor, 'delete');
    const registry = this.#registry(actor, blobs);
    const name = this.#pick(MODELS);
    if (this.#random() < 0.15) return await registry.deleteModel(name);
    const { all } = await registry.model(name);
    const kept = all.filter(({ status }) => status !== 'deleted');
    const number = kept[Math.floor(this.#random() * kept.length)]?.number;
    if (number === undefined) return;
    await registry.deleteVersion({ name, selector: { kind: 'version', number } });
    this.#count.deletedVersions += 1;
  }

  async #collect(actor: string): Promise<void> {
    const { uploads } = await collect({
      blobs: this.#blobs(actor, 'collect'),
      actor,
      graceMs: this.#options.graceMs ?? 0,
      repackBelow: 0.9,
      repackAtLeastBytes: 1,
      clock: this.#now,
      random: (size) => this.#bytes(size),
    });
    this.#expired += uploads.length;
    this.#count.collections += 1;
  }

  async #verify(wholly = false): Promise<void> {
    for (const missing of await this.#verifier.missing(wholly)) this.#missing.add(missing);
  }

  #pick(names: readonly ModelName[]): ModelName {
    return names[Math.floor(this.#random() * names.length)] ?? parseModelName('a');
  }
}

/** Also of a block that could not clean up behind a crash. */
function isCrash(error: unknown): boolean {
  if (error instanceof Crashed) return true;
  return error instanceof Error && 'suppressed' in error && isCrash(error.suppressed);
}

/** What operations may report when others delete, expire or collect under them. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof IngotError)) return false;
  return isIngotError(error, 'conflict', 'model-not-found', 'version-not-found', 'unavailable');
}
