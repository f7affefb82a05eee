import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf } from './blob/bytes.ts';
import { condemnedPacks, ROOTS_PREFIX } from './content/roots.ts';
import { storageTime } from './content/sweep/survey.ts';
import { IngotError } from './errors.ts';
import { canonicalJson } from './json.ts';
import { withSum } from './sum.ts';

/** Where mirrorings in flight say what they rely on. */
const MIRRORS_PREFIX = `${ROOTS_PREFIX}mirrors/`;

/** Roots of mirrorings that were killed are dropped by a later one after this long, by the storage's clock. */
const DROPPED_AFTER_MS = 7 * 24 * 60 * 60_000;

const PACKS_A_ROOT = 20_000;

/**
 * What a mirroring relies on in its destination, said before it relies on it, as every writer does: so a collection
 * there either sees it and spares those packs, or has said before that they go.
 */
export class MirrorRoots {
  readonly #destination: BlobStore;
  readonly #run: string;
  readonly #call: BlobOptions;
  readonly #keys: string[] = [];
  readonly #kept = new Set<string>();

  constructor(destination: BlobStore, run: string, options: BlobOptions) {
    this.#destination = destination;
    this.#run = run;
    this.#call = options;
  }

  /** @throws IngotError `unavailable` when a collection is about to delete one of the packs. */
  async keep(packs: Iterable<string>): Promise<void> {
    const fresh = [...packs].filter((pack) => !this.#kept.has(pack));
    for (let from = 0; from < fresh.length; from += PACKS_A_ROOT) {
      const key = `${MIRRORS_PREFIX}${this.#run}/${this.#keys.length}.json`;
      this.#keys.push(key);
      const root = withSum({ format: 1, packs: fresh.slice(from, from + PACKS_A_ROOT) });
      await this.#destination.write(key, bodyOf(`${canonicalJson(root)}\n`), this.#call);
    }
    if (fresh.length === 0) return;
    const going = await condemnedPacks(this.#destination, this.#call);
    const condemned = fresh.find((pack) => going.has(pack));
    if (condemned !== undefined) throw beingDeleted(this.#destination, condemned);
    for (const pack of fresh) this.#kept.add(pack);
  }

  /** @throws IngotError `unavailable` when another mirroring took this one for dead. One request. */
  async checkStanding(): Promise<void> {
    const [first] = this.#keys;
    if (first === undefined || (await this.#destination.stat(first, this.#call)) !== undefined) return;
    throw new IngotError('unavailable', 'this mirroring took so long that another one took it for dead', {
      operation: 'mirror',
      hint: 'mirror again: it goes on where this one ended',
    });
  }

  /** Removes this run's roots: events name all of it now. */
  async release(): Promise<void> {
    for (const key of this.#keys.splice(0)) await this.#destination.delete(key, this.#call);
  }

  /** Removes roots that mirrorings left which were killed long ago. One request when there are none. */
  async dropAbandoned(): Promise<void> {
    const others: { readonly key: string; readonly modifiedAt: Date }[] = [];
    for await (const { key, modifiedAt } of this.#destination.list(MIRRORS_PREFIX, this.#call))
      if (!key.startsWith(`${MIRRORS_PREFIX}${this.#run}/`)) others.push({ key, modifiedAt });
    if (others.length === 0) return;
    const now = await storageTime(this.#destination, `mirror-${this.#run}`, this.#call);
    for (const { key, modifiedAt } of others)
      if (now.getTime() - modifiedAt.getTime() > DROPPED_AFTER_MS) await this.#destination.delete(key, this.#call);
  }
}

function beingDeleted({ address }: BlobStore, pack: string): IngotError {
  return new IngotError('unavailable', `a collection in ${address} is deleting pack ${pack}, which is needed again`, {
    operation: 'mirror',
    retryable: true,
    hint: `ingot gc --registry ${address}   (finishes what a collection began; then mirror again)`,
    details: { pack },
  });
}
