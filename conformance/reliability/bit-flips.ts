/** One flipped bit in every object of a store, one after the other: whether `check` finds it, and whether anybody is served it. */

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { bodyOf, collect as readAll } from '@ingot/core/blob/bytes';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { check } from '@ingot/core/check';
import { collect } from '@ingot/core/collect';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { isIngotError } from '@ingot/core/errors';
import { openPackageCache } from '@ingot/core/package/cache';
import { pullToCache } from '@ingot/core/pull';
import { push } from '@ingot/core/push';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { openLogRegistry } from '@ingot/core/registry/open';
import { randomOf } from '@ingot/core/seeded-random';
import { workDirectory } from './command.ts';
import { brought, fingerprintOf, type Ledger, observe } from './judge.ts';
import { countOf, oneOf, type Outcome, type Trial, type TrialOptions } from './trial.ts';

/** One store in the short form, eight in the full one: more than 1,000 objects. */
export const bitFlips: Trial = {
  name: 'bit-flips',
  about: 'one flipped bit in every object of a store: found by check, served to nobody',
  async run(options: TrialOptions): Promise<Outcome> {
    const random = randomOf(options.seed);
    const flips = new Flips(random);
    // Many small stores: each check reads a whole one.
    for (let store = 0; store < (options.full ? 8 : 1); store += 1) {
      using directory = workDirectory();
      const blobs = await filledStore(directory.path, random, options.full ? 9 : 4);
      const whole = await observe(blobs);
      if (whole.failures.length > 0) throw new Error(`the store is damaged before it is: ${whole.failures.join(', ')}`);
      for (const key of await keysOf(blobs)) await flips.flip(key, { blobs, whole, directory: directory.path });
      options.say(`${flips.flipped.length} bits flipped`);
    }
    return flips.outcome();
  },
};

const MODELS = ['a', 'b', 'c', 'd', 'e'] as const;
const CODES: readonly string[] = ['integrity', 'tampered', 'invalid-config', 'store-not-found', 'refused'];

/** A store in memory with all kinds of objects: versions that share packs, moved packs, heads, aliases. */
async function filledStore(directory: string, random: () => number, versions: number): Promise<BlobStore> {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  await using registry = openLogRegistry({ blobs, actor: 'test' });
  const contents = createBlobContentStore(blobs);
  const source = join(directory, 'source');
  mkdirSync(source);
  for (const name of MODELS) {
    const [kept, other] = [noise(4000, random), noise(4000, random)];
    for (let number = 1; number <= versions; number += 1) {
      other.set(noise(40, random), number * 10);
      writeFileSync(join(source, 'model.bin'), other);
      writeFileSync(join(source, 'kept.bin'), kept);
      const aliases = number % 3 === 0 ? ['production'] : [];
      await push(source, { registry, contents, name, aliases });
    }
    // What is left of the first pack is needed by later versions: it is rewritten, and a moved file tells where.
    await registry.setAlias(parseModelName(name), 'staging', versions);
    await registry.deleteVersion(parseReference(`${name}:1`));
  }
  await collect({ blobs, actor: 'test', graceMs: 0, repackBelow: 0.9 });
  return blobs;
}

const noise = (length: number, random: () => number): Buffer =>
  Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));

async function keysOf(blobs: BlobStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list('')) keys.push(key);
  return keys;
}

/** What kind of object a key is. */
function kindOf(key: string): string {
  if (key.endsWith('.moved')) return 'moved files';
  return /\/(log|heads|segments)\//.exec(key)?.[1] ?? key.split('/')[0] ?? key;
}

/** A store in which a bit is flipped, and what it has to give. */
interface Flipped {
  readonly blobs: BlobStore;
  readonly whole: Ledger;
  /** For caches. */
  readonly directory: string;
}

class Flips {
  readonly flipped: string[] = [];
  readonly #random: () => number;
  readonly #failures: string[] = [];
  readonly #answers: string[] = [];
  #found = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  async flip(key: string, store: Flipped): Promise<void> {
    const { blobs } = store;
    const good = await readAll(blobs.read(key));
    const bad = Buffer.from(good);
    const [at, bit] = [Math.floor(this.#random() * bad.length), Math.floor(this.#random() * 8)];
    bad[at] = (bad[at] ?? 0) ^ (1 << bit);
    await replace(blobs, key, bad);
    this.flipped.push(kindOf(key));
    const label = `bit ${bit} of byte ${at} of ${key}`;
    if (await isFound(blobs, key)) this.#found += 1;
    else this.#failures.push(`${label} is not found by check --read-data`);
    for (const ref of this.#readersOf(key, store.whole)) {
      const answer = await this.#ask(ref, store);
      this.#answers.push(answer);
      if (answer !== 'right bytes' && !CODES.includes(answer)) this.#failures.push(`${label}: ${ref} gives ${answer}`);
    }
    await replace(blobs, key, good);
  }

  outcome(): Outcome {
    return {
      figures: {
        'bits flipped': this.flipped.length,
        ...countOf(this.flipped.map((kind) => `in ${kind}`)),
        'found by check --read-data': this.#found,
        'pulls afterwards': this.#answers.length,
        ...countOf(this.#answers.map((answer) => `answered with ${answer}`)),
        'served wrong bytes': this.#answers.filter((answer) => answer === 'wrong bytes').length,
      },
      failures: this.#failures,
      skipped: [],
    };
  }

  /** Versions whose reading meets an object: of its model where the key says so, else one of each. */
  #readersOf(key: string, { versions }: Ledger): string[] {
    const refs = [...versions.keys()];
    const model = /^models\/(.)-/.exec(key)?.[1];
    const own = model === undefined ? refs : refs.filter((ref) => ref.startsWith(`${model}:`));
    const [first = '', ...rest] = own;
    return own.length <= 8 ? own : Array.from({ length: 8 }, () => oneOf([first, ...rest], this.#random));
  }

  /** Asks as `pull` does or, one time in four, as a model server does. */
  async #ask(ref: string, { blobs, whole, directory }: Flipped): Promise<string> {
    await using registry = openLogRegistry({ blobs: blobs, actor: 'test' });
    const from = { registry, contents: createBlobContentStore(blobs) };
    try {
      if (this.#random() < 0.75)
        return (await brought(ref, from)) === whole.versions.get(ref) ? 'right bytes' : 'wrong bytes';
      const home = mkdtempSync(join(directory, 'cache-'));
      await using cache = openPackageCache({ directory: home });
      const { path, files } = await pullToCache(ref, { ...from, cache });
      return fingerprintOf(path, files) === whole.versions.get(ref) ? 'right bytes' : 'wrong bytes';
    } catch (error) {
      return isIngotError(error) ? error.code : String(error);
    }
  }
}

async function replace(blobs: BlobStore, key: string, bytes: Uint8Array): Promise<void> {
  await blobs.delete(key);
  await blobs.write(key, bodyOf(bytes));
}

async function isFound(blobs: BlobStore, key: string): Promise<boolean> {
  const pack = /^(packs\/.*)\.(?:pack|moved)$/.exec(key)?.[1];
  try {
    const { damage } = await check({ blobs, readData: true, threads: 0 });
    return damage.some((found) => found.key === key || (pack !== undefined && found.key.startsWith(pack)));
  } catch {
    return key === 'ingot.json'; // Nothing can be read where that cannot.
  }
}
