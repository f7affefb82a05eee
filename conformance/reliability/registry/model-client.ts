import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openServerBlobStore } from '@ingot/core/blob/server';
import type { ContentStore } from '@ingot/core/content/content-store';
import { createServerContentStore } from '@ingot/core/content/server-contents';
import { FormatOnce } from '@ingot/core/content/store-format';
import { isIngotError } from '@ingot/core/errors';
import { push } from '@ingot/core/push';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { openServerClient } from '@ingot/core/registry/http/server-client';
import type { Registry } from '@ingot/core/registry/registry';
import { fingerprint } from '../judge.ts';
import type { ask, Reply } from './ask.ts';
import { Possible } from './possible.ts';

/** What all clients of a trial have written together. */
export interface Shared {
  readonly url: string;
  readonly directory: string;
  readonly random: () => number;
  /** `churn:7` to its fingerprint, of all that was acknowledged. */
  readonly versions: Map<string, string>;
  /** Fingerprints of all that anybody began to push. */
  readonly attempted: Set<string>;
  readonly failures: string[];
  /** How servers are asked. */
  readonly ask: typeof ask;
  /** Value of the `Authorization` header. Default: the server lets in everybody. */
  readonly authorization?: string | undefined;
  /** Counts what was acknowledged, and what was not, by name. */
  count(what: string): void;
}

/** A client that does one thing after the other, and looks whether what it did is still there. */
export interface Client {
  /** Does one thing, and says whether it was acknowledged. */
  turn(): Promise<boolean>;
  /** Reads all that was acknowledged, and tells what is not as it must be. */
  verify(): Promise<void>;
}

interface Change<T> {
  readonly what: string;
  readonly known: Possible<T>;
  readonly value: T;
}

let packages = 0;

/** Writes a package of its own and gives its directory and fingerprint. */
export function writePackage(
  { directory, random, attempted }: Pick<Shared, 'directory' | 'random' | 'attempted'>,
  bytes = 20_000,
): { path: string; print: string } {
  packages += 1;
  const files = {
    'model.bin': Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256)),
    'notes.txt': Buffer.from(`package ${packages}\n`),
  };
  const path = join(directory, `package-${packages}`);
  mkdirSync(path, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  const print = fingerprint(files);
  attempted.add(print);
  return { path, print };
}

/** Whether a server said something about what it was asked for. */
export function isAnswer<Body>(reply: Reply<Body> | undefined): reply is Reply<Body> {
  return reply !== undefined && reply.status !== 503;
}

/** Publishes, moves an alias and edits, in a model that is its own. */
export class ModelClient implements Client {
  readonly #shared: Shared;
  readonly #name: string;
  readonly #registry: Registry;
  readonly #contents: ContentStore;
  readonly #alias = new Possible<number | undefined>(undefined);
  readonly #notes = new Map<number, Possible<string | undefined>>();
  readonly #mine: number[] = [];
  #edits = 0;

  private constructor(shared: Shared, name: string, stores: { registry: Registry; contents: ContentStore }) {
    this.#shared = shared;
    this.#name = name;
    this.#registry = stores.registry;
    this.#contents = stores.contents;
  }

  /** Opens the server as the command line does. */
  static async open(shared: Shared, name: string): Promise<ModelClient> {
    const { authorization } = shared;
    const client = await openServerClient(shared.url, { env: {}, authorization, actor: name, retry: { attempts: 2 } });
    const blobs = await openServerBlobStore(shared.url, { env: { INGOT_RETRIES: '1' }, authorization, direct: false });
    const journals = join(shared.directory, `journals-${name}`);
    const options = { now: () => new Date(), format: new FormatOnce(blobs), journals };
    const contents = createServerContentStore(blobs, options);
    return new ModelClient(shared, name, { registry: createHttpRegistry(client), contents });
  }

  get #url(): string {
    return `${this.#shared.url}/api/v1/models/${this.#name}`;
  }

  async turn(): Promise<boolean> {
    const chance = this.#shared.random();
    const number = this.#mine[Math.floor(this.#shared.random() * this.#mine.length)];
    if (number === undefined || chance < 0.35) return await this.#publish();
    return chance < 0.7 ? await this.#move(number) : await this.#edit(number);
  }

  async #publish(): Promise<boolean> {
    const { path, print } = writePackage(this.#shared);
    try {
      const { version } = await push(path, {
        registry: this.#registry,
        contents: this.#contents,
        name: this.#name,
      });
      this.#shared.versions.set(`${this.#name}:${version.number}`, print);
      this.#mine.push(version.number);
      this.#notes.set(version.number, new Possible<string | undefined>(undefined));
      this.#shared.count('publications');
      return true;
    } catch (error) {
      this.#tolerate(error);
      return false;
    }
  }

  #tolerate(error: unknown): void {
    const isExpected =
      isIngotError(error) && ['unavailable', 'timeout', 'interrupted', 'disk-full'].includes(error.code);
    if (!isExpected) this.#shared.failures.push(`push to ${this.#name}: ${String(error)}`);
    this.#shared.count('not acknowledged');
  }

  async #move(number: number): Promise<boolean> {
    const reply = await this.#shared.ask(`${this.#url}/aliases/production`, { method: 'PUT', body: { number } });
    return this.#heard(reply, { what: 'alias moves', known: this.#alias, value: number });
  }

  async #edit(number: number): Promise<boolean> {
    this.#edits += 1;
    const note = `edit ${this.#edits}`;
    const known = this.#notes.get(number) ?? new Possible<string | undefined>(undefined);
    this.#notes.set(number, known);
    const reply = await this.#shared.ask(`${this.#url}/versions/${number}`, {
      method: 'PATCH',
      body: { tags: { note } },
    });
    return this.#heard(reply, { what: 'edits', known, value: note });
  }

  #heard<T>(reply: Reply<unknown> | undefined, { what, known, value }: Change<T>): boolean {
    const isDone = reply?.status === 200;
    if (isDone) known.is(value);
    else known.mayBe(value);
    if (!isDone && reply !== undefined && reply.status !== 503)
      this.#shared.failures.push(`${what} of ${this.#name}: ${reply.status} ${JSON.stringify(reply.body)}`);
    this.#shared.count(isDone ? what : 'not acknowledged');
    return isDone;
  }

  async verify(): Promise<void> {
    const alias = await this.#shared.ask<{ number?: number }>(`${this.#url}/aliases/production`);
    if (isAnswer(alias)) this.#compare('production', this.#alias.read(alias.body.number));
    for (const number of this.#mine.slice(-5)) {
      const version = await this.#shared.ask<{ tags?: { note?: string } }>(`${this.#url}/versions/${number}`);
      if (!isAnswer(version)) return;
      if (version.status !== 200) this.#compare(`version ${number}`, `is answered with ${version.status}`);
      else this.#compare(`the note of version ${number}`, this.#notes.get(number)?.read(version.body.tags?.note));
    }
  }

  #compare(what: string, wrong: string | undefined): void {
    if (wrong !== undefined) this.#shared.failures.push(`${what} of ${this.#name} ${wrong}`);
  }

  /** Where the alias is, for whoever looks into the store. */
  aliasIn(aliases: ReadonlyMap<string, number>): void {
    this.#compare('in the store, production', this.#alias.read(aliases.get(`${this.#name}@production`)));
  }
}
