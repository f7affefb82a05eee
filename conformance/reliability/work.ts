/** What people do with a store, as command lines, and what each has to make of a ledger. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, type Ledger } from './judge.ts';
import { oneOf } from './trial.ts';

/** One command line. */
export interface Work {
  readonly kind: string;
  readonly words: readonly string[];
  /** What the ledger has to be when it has succeeded. */
  readonly after: (before: Ledger) => Ledger;
}

const MODELS = ['a', 'b'] as const;
const ALIASES = ['production', 'staging'] as const;
const WEIGHTS_BYTES = 200_000;

/** A person who uses a store: thinks of the next thing to do. Only what was seen counts; numbers are never used again. */
export class Person {
  readonly #directory: string;
  readonly #random: () => number;
  readonly #highest = new Map<string, number>();
  readonly #latest = new Map<string, string>();
  #made = 0;
  readonly #weights: Uint8Array;

  /** @param directory where packages are written. */
  constructor(directory: string, random: () => number) {
    this.#directory = directory;
    this.#random = random;
    this.#weights = Uint8Array.from({ length: WEIGHTS_BYTES }, () => Math.floor(random() * 256));
  }

  /** Takes note of what is in the store. */
  see({ versions }: Ledger): void {
    for (const [ref, print] of versions) {
      const [model = '', number] = ref.split(':');
      if (Number(number) < (this.#highest.get(model) ?? 0)) continue;
      this.#highest.set(model, Number(number));
      this.#latest.set(model, print);
    }
  }

  /** A push of something new: of `bytes` random bytes, or of weights of which a part changed. */
  push(model: string, { alias, bytes }: { readonly alias?: string; readonly bytes?: number } = {}): Work {
    const { name, print } = this.#package(bytes);
    const words = ['push', name, '--name', model, ...(alias === undefined ? [] : ['--alias', alias])];
    const after = ({ versions, aliases }: Ledger): Ledger => {
      const there = this.#latest.get(model) === print;
      const number = (this.#highest.get(model) ?? 0) + (there ? 0 : 1);
      return {
        versions: new Map([...versions, [`${model}:${number}`, print]]),
        aliases: alias === undefined ? aliases : new Map([...aliases, [`${model}@${alias}`, number]]),
      };
    };
    return { kind: 'push', words, after };
  }

  /** Something that makes sense now. */
  next(ledger: Ledger): Work {
    const model = oneOf(MODELS, this.#random);
    const alias = oneOf(ALIASES, this.#random);
    const numbers = numbersOf(ledger, model);
    const free = numbers.filter(
      (number) => ![...ledger.aliases].some(([name, at]) => name.startsWith(`${model}@`) && at === number),
    );
    const chance = this.#random();
    if (chance < 0.4 || numbers.length === 0) return this.push(model, chance < 0.2 ? { alias } : {});
    if (chance < 0.6) return setAlias(model, alias, oneOf([numbers[0] ?? 1, ...numbers], this.#random));
    if (chance < 0.65 && ledger.aliases.has(`${model}@${alias}`)) return removeAlias(model, alias);
    // Never the newest: what a repeated push then finds would be another question.
    if (chance < 0.8 && free.length > 1) return removeVersion(model, free[0] ?? 1);
    return chance < 0.9 ? collect() : mirror();
  }

  #package(bytes?: number): { readonly name: string; readonly print: string } {
    this.#made += 1;
    const at = Math.floor(this.#random() * (WEIGHTS_BYTES - 2000));
    for (let byte = at; byte < at + 2000; byte += 1) this.#weights[byte] = Math.floor(this.#random() * 256);
    const files = {
      'model.bin': bytes === undefined ? this.#weights.slice() : randomBytes(bytes, this.#random),
      'notes.txt': Buffer.from(`made as number ${this.#made}\n`),
      'empty.txt': Buffer.alloc(0),
    };
    const name = `package-${this.#made}`;
    mkdirSync(join(this.#directory, name), { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(this.#directory, name, file), content);
    return { name, print: fingerprint(files) };
  }
}

function randomBytes(length: number, random: () => number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let at = 0; at < words.length; at += 1) words[at] = random() * 2 ** 32;
  return new Uint8Array(words.buffer, 0, length);
}

/** Numbers of a model's versions, oldest first. */
export function numbersOf({ versions }: Ledger, model: string): number[] {
  const own = [...versions.keys()].filter((ref) => ref.startsWith(`${model}:`));
  return own.map((ref) => Number(ref.split(':')[1])).sort((a, b) => a - b);
}

/** `ingot alias set`. */
export function setAlias(model: string, alias: string, number: number): Work {
  return {
    kind: 'alias',
    words: ['alias', 'set', model, alias, `${model}:${number}`],
    after: ({ versions, aliases }) => ({ versions, aliases: new Map([...aliases, [`${model}@${alias}`, number]]) }),
  };
}

/** `ingot alias rm`. */
export function removeAlias(model: string, alias: string): Work {
  const after = ({ versions, aliases }: Ledger): Ledger => ({
    versions,
    aliases: new Map([...aliases].filter(([name]) => name !== `${model}@${alias}`)),
  });
  return { kind: 'alias', words: ['alias', 'rm', model, alias], after };
}

/** `ingot rm` of a version. */
export function removeVersion(model: string, number: number): Work {
  const after = ({ versions, aliases }: Ledger): Ledger => ({
    versions: new Map([...versions].filter(([ref]) => ref !== `${model}:${number}`)),
    aliases,
  });
  return { kind: 'delete', words: ['rm', `${model}:${number}`, '--yes'], after };
}

/** `ingot gc` that leaves nothing alone because it is young. */
export function collect(): Work {
  return { kind: 'gc', words: ['gc', '--grace', '0s', '--repack-below', '90'], after: (before) => before };
}

/** `ingot mirror` to `standby` beside the store. */
export function mirror(): Work {
  return { kind: 'mirror', words: ['mirror', 'store', 'standby'], after: (before) => before };
}
