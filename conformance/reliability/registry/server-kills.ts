/**
 * `kill -9` of a registry server and of its clients at random moments, while clients publish, move aliases, edit, log
 * runs and send artifacts. Whoever was told that something was done reads it again after every start.
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { randomOf } from '@ingot/core/seeded-random';
import { openDatabase } from '@ingot/registry/database/database';
import { runIngot, workDirectory } from '../command.ts';
import { observe } from '../judge.ts';
import type { Outcome, Trial, TrialOptions } from '../trial.ts';
import { ask } from './ask.ts';
import { lookAtIndex } from './look-at-index.ts';
import { type Client, ModelClient, type Shared, writePackage } from './model-client.ts';
import { RegistryProcess } from './registry-process.ts';
import { RunClient } from './run-client.ts';

const MODEL_CLIENTS = 4;
const RUN_CLIENTS = 3;
const COMMANDS = 2;
const AFTER_A_FAILURE_MS = 50;
const LONGEST_LIFE_MS = 5000;
const LONGEST_COMMAND_MS = 5000;

/** 200 kills in the full form, 6 in the short one; half of them at least are of the server. */
export const serverKills: Trial = {
  name: 'server-kills',
  about: 'kill -9 of a registry server and its clients while they publish, move, edit, log runs and send artifacts',
  async run({ full, seed, say }: TrialOptions): Promise<Outcome> {
    using directory = workDirectory();
    const trial = new Killing(directory.path, seed, full ? 200 : 6);
    await trial.run(say);
    return { figures: trial.figures(), failures: trial.shared.failures, skipped: [] };
  },
};

class Killing {
  readonly shared: Shared;
  readonly #random: () => number;
  readonly #cwd: string;
  readonly #wanted: number;
  readonly #counts = new Map<string, number>();
  #server: RegistryProcess | undefined;
  #kills = { server: 0, clients: 0 };
  #isOver = false;

  constructor(cwd: string, seed: number, wanted: number) {
    this.#cwd = cwd;
    this.#wanted = wanted;
    this.#random = randomOf(seed);
    const server = (): RegistryProcess | undefined => this.#server;
    this.shared = {
      get url() {
        return server()?.url ?? '';
      },
      directory: cwd,
      random: this.#random,
      versions: new Map(),
      attempted: new Set(),
      failures: [],
      ask,
      count: (what) => void this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1),
    };
  }

  async run(say: (line: string) => void): Promise<void> {
    await using server = await RegistryProcess.start({ cwd: this.#cwd });
    this.#server = server;
    const models = await Promise.all(
      Array.from({ length: MODEL_CLIENTS }, (_, at) => ModelClient.open(this.shared, `model-${at}`)),
    );
    const runs = Array.from({ length: RUN_CLIENTS }, (_, at) => new RunClient(this.shared, `runner ${at}`));
    const clients: readonly Client[] = [...models, ...runs];
    // A push takes longer than many a life: everybody has a version before the first kill.
    for (const client of clients) await client.turn();
    const commands = Array.from({ length: COMMANDS }, () => this.#killClients(server.url));
    const working = [...clients.map((client) => this.#work(client, server)), ...commands];
    while (this.#kills.server < this.#wanted / 2 || this.#kills.server + this.#kills.clients < this.#wanted) {
      await sleep(this.#random() * LONGEST_LIFE_MS);
      await server.kill();
      this.#kills.server += 1;
      await server.startAgain();
      if (this.#kills.server % 20 === 0) say(`${this.#kills.server} servers, ${this.#kills.clients} clients killed`);
    }
    this.#isOver = true;
    await Promise.all(working);
    for (const client of clients) await client.verify();
    await server.stop();
    await this.#lookAtStore(models);
    await this.#lookAtIndex();
  }

  async #work(client: Client, server: RegistryProcess): Promise<void> {
    let seen = server.starts;
    while (!this.#isOver) {
      if (!(await client.turn())) await sleep(AFTER_A_FAILURE_MS);
      if (server.starts === seen) continue;
      seen = server.starts;
      await client.verify();
    }
  }

  /** The real command, which has half a chance to be done before it is killed. */
  async #killClients(url: string): Promise<void> {
    while (!this.#isOver) {
      const { path, print } = writePackage(this.shared);
      const words = ['push', path, '--name', 'pushed', '--json'];
      const env = { INGOT_REGISTRY: url, INGOT_RETRIES: '2' };
      const finished = await runIngot(words, {
        cwd: this.#cwd,
        env,
        killAfterMs: 300 + this.#random() * LONGEST_COMMAND_MS,
      });
      if (finished.signal === 'SIGKILL') this.#kills.clients += 1;
      if (finished.status === 0) {
        this.shared.versions.set(JSON.parse(finished.stdout).ref, print);
        this.shared.count('pushes of the command');
      } else if (finished.status !== null && finished.status !== 7)
        this.shared.failures.push(`ingot push ended with ${finished.status}: ${finished.stderr}`);
    }
  }

  async #lookAtStore(models: readonly ModelClient[]): Promise<void> {
    const { versions, aliases, failures } = await observe(createLocalBlobStore(join(this.#cwd, 'store')));
    this.shared.failures.push(...failures);
    for (const [ref, print] of this.shared.versions)
      if (versions.get(ref) !== print) this.shared.failures.push(`${ref} was acknowledged and is ${versions.get(ref)}`);
    for (const [ref, print] of versions)
      if (!this.shared.attempted.has(print)) this.shared.failures.push(`${ref} is nothing that anybody pushed`);
    for (const model of models) model.aliasIn(aliases);
    this.#counts.set('versions in the store, each byte compared', versions.size);
  }

  async #lookAtIndex(): Promise<void> {
    const blobs = createLocalBlobStore(join(this.#cwd, 'store'));
    await using database = await openDatabase({ directory: join(this.#cwd, 'state') });
    const { rows, failures } = await lookAtIndex(database.index, blobs);
    this.shared.failures.push(...failures);
    this.#counts.set('rows of the index, each as in a rebuilt one', rows);
  }

  figures(): Record<string, number> {
    const { server, clients } = this.#kills;
    const counts = [...this.#counts].map(([what, count]) => [told(what), count] as const);
    return { 'kills of the server': server, 'kills of clients': clients, ...Object.fromEntries(counts) };
  }
}

function told(what: string): string {
  return /^(?:not|versions in|rows)/.test(what) ? what : `${what} acknowledged`;
}
