/** One flipped bit in every object of a store, one after the other: whether `check` finds it, and whether anybody is served it. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
import { brought, fingerprintOf, type Ledger, observe } from './judge.ts';
import { countOf, oneOf, type Outcome, randomFrom, type Trial, type TrialOptions } from './trial.ts';

/** About 120 objects in the short form, more than 1,000 in the full one. */
export const bitFlips: Trial = {
  name: 'bit-flips',
  about: 'one flipped bit in every object of a store: found by check, served to nobody',
  async run(options: TrialOptions): Promise<Outcome> {
    const directory = mkdtempSync(join(tmpdir(), 'ingot-flips-'));
    try {
      const random = randomFrom(options.seed);
      const blobs = await filledStore(directory, random, options.full ? 50 : 5);
      const whole = await observe(blobs);
      if (whole.failures.length > 0) throw new Error(`the store is damaged before it is: ${whole.failures.join(', ')}`);
      const trial = new Flips(blobs, whole, directory, random);
      for (const key of await keysOf(blobs)) await trial.flip(key);
      options.say(`${trial.flipped.length} bits flipped`);
      return trial.outcome();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
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

class Flips {
  readonly flipped: string[] = [];
  readonly #blobs: BlobStore;
  readonly #whole: Ledger;
  readonly #directory: string;
  readonly #random: () => number;
  readonly #failures: string[] = [];
  readonly #answers: string[] = [];
  #found = 0;

  constructor(blobs: BlobStore, whole: Ledger, directory: string, random: () => number) {
    this.#blobs = blobs;
    this.#whole = whole;
    this.#directory = directory;
    this.#random = random;
  }

  async flip(key: string): Promise<void> {
    const good = await readAll(this.#blobs.read(key));
    const bad = Buffer.from(good);
    const [at, bit] = [Math.floor(this.#random() * bad.length), Math.floor(this.#random() * 8)];
    bad[at] = (bad[at] ?? 0) ^ (1 << bit);
    await this.#replace(key, bad);
    this.flipped.push(kindOf(key));
    const label = `bit ${bit} of byte ${at} of ${key}`;
    if (await this.#isFound(key)) this.#found += 1;
    else this.#failures.push(`${label} is not found by check --read-data`);
    for (const ref of this.#readersOf(key)) {
      const answer = await this.#ask(ref);
      this.#answers.push(answer);
      if (answer !== 'right bytes' && !CODES.includes(answer)) this.#failures.push(`${label}: ${ref} gives ${answer}`);
    }
    await this.#replace(key, good);
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

  async #replace(key: string, bytes: Uint8Array): Promise<void> {
    await this.#blobs.delete(key);
    await this.#blobs.write(key, bodyOf(bytes));
  }

  async #isFound(key: string): Promise<boolean> {
    const pack = /^(packs\/.*)\.(?:pack|moved)$/.exec(key)?.[1];
    try {
      const { damage } = await check({ blobs: this.#blobs, readData: true, threads: 0 });
      return damage.some((found) => found.key === key || (pack !== undefined && found.key.startsWith(pack)));
    } catch {
      return key === 'ingot.json'; // Nothing can be read where that cannot.
    }
  }

  /** Versions whose reading meets an object: of its model where the key says so, else one of each. */
  #readersOf(key: string): string[] {
    const refs = [...this.#whole.versions.keys()];
    const model = /^models\/(.)-/.exec(key)?.[1];
    const own = model === undefined ? refs : refs.filter((ref) => ref.startsWith(`${model}:`));
    const [first = '', ...rest] = own;
    return own.length <= 8 ? own : Array.from({ length: 8 }, () => oneOf([first, ...rest], this.#random));
  }

  /** Asks as `pull` does or, one time in four, as a model server does. */
  async #ask(ref: string): Promise<string> {
    await using registry = openLogRegistry({ blobs: this.#blobs, actor: 'test' });
    const from = { registry, contents: createBlobContentStore(this.#blobs) };
    try {
      if (this.#random() < 0.75)
        return (await brought(ref, from)) === this.#whole.versions.get(ref) ? 'right bytes' : 'wrong bytes';
      const home = mkdtempSync(join(this.#directory, 'cache-'));
      await using cache = openPackageCache({ directory: home });
      const { path, files } = await pullToCache(ref, { ...from, cache });
      return fingerprintOf(path, files) === this.#whole.versions.get(ref) ? 'right bytes' : 'wrong bytes';
    } catch (error) {
      return isIngotError(error) ? error.code : String(error);
    }
  }
}
