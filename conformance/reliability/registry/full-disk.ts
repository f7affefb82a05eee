/** The disk of a registry server's own files fills up, and has space again: clear refusals, reads go on, nothing is lost. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '@ingot/core/seeded-random';
import { workDirectory } from '../command.ts';
import type { Outcome, Trial, TrialOptions } from '../trial.ts';
import { ask, type Reply } from './ask.ts';
import { ModelClient, type Shared } from './model-client.ts';
import { RegistryProcess } from './registry-process.ts';
import { RunClient } from './run-client.ts';

const DISK_MIB = 48;
const LONGEST_RECOVERY_MS = 30_000;

/** Ten fillings in the full form, one in the short one. */
export const fullDisk: Trial = {
  name: 'full-disk',
  about: 'the disk of a registry server’s database fills up under load, and has space again',
  async run({ full, seed, say }: TrialOptions): Promise<Outcome> {
    using directory = workDirectory();
    const state = join(directory.path, 'state');
    mkdirSync(state);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', state], { stdio: 'pipe' });
    } catch (error) {
      return {
        figures: {},
        failures: [],
        skipped: [`no disk of a limited size here: ${String(error).split('\n')[0]}`],
      };
    }
    try {
      const trial = new Filling(directory.path, seed);
      await trial.run(full ? 10 : 1, say);
      return { figures: trial.figures, failures: trial.failures, skipped: [] };
    } finally {
      execFileSync('umount', ['--lazy', state]);
    }
  },
};

class Filling {
  readonly failures: string[] = [];
  readonly figures: Record<string, number> = {};
  readonly #cwd: string;
  readonly #random: () => number;
  #isFull = false;

  constructor(cwd: string, seed: number) {
    this.#cwd = cwd;
    this.#random = randomOf(seed);
  }

  async run(times: number, say: (line: string) => void): Promise<void> {
    await using server = await RegistryProcess.start({ cwd: this.#cwd });
    const shared: Shared = {
      url: server.url,
      directory: this.#cwd,
      random: this.#random,
      versions: new Map(),
      attempted: new Set(),
      failures: this.failures,
      ask: this.#ask,
      count: (what) => this.#count(what),
    };
    const clients = [await ModelClient.open(shared, 'churn'), new RunClient(shared, 'runner')];
    for (const client of clients) for (let turn = 0; turn < 5; turn += 1) await client.turn();
    for (let time = 1; time <= times; time += 1) {
      this.#isFull = true;
      const filler = join(this.#cwd, 'state/filler');
      fill(filler);
      let refused = 0;
      for (let turn = 0; refused < 10 && turn < 200; turn += 1) {
        for (const client of clients) if (!(await client.turn())) refused += 1;
        await this.#readsGoOn(server.url);
      }
      if (refused === 0) this.failures.push('nothing was refused on a full disk');
      rmSync(filler);
      this.#isFull = false;
      await this.#recovers(clients);
      for (const client of clients) await client.verify();
      if (server.pid === undefined) this.failures.push(`the server ended: ${server.printed}`);
      say(`filled ${time} times, ${this.failures.length} broken`);
    }
    await server.stop();
    await server.startAgain();
    for (const client of clients) await client.verify();
  }

  /** A refusal has to be a clear one; clients take it for one that they know. */
  readonly #ask: typeof ask = async <Body>(url: string, question = {}) => {
    const reply = await ask<Body>(url, question);
    if (reply?.status !== 507) return reply;
    this.#count('times that the disk was told to be full');
    if (!this.#isFull) return reply;
    if (!/"(?:code":"disk-full|error_code":"RESOURCE_EXHAUSTED)"/.test(JSON.stringify(reply.body)))
      this.failures.push(`not clear: ${JSON.stringify(reply.body)}`);
    const busy: Reply<Body> = { ...reply, status: 503 };
    return busy;
  };

  async #readsGoOn(url: string): Promise<void> {
    for (const path of [
      '/api/v1/models/churn/versions/1',
      '/api/v1/resolve?ref=churn:1',
      '/api/v1/versions',
      '/healthz',
    ]) {
      const reply = await ask(`${url}${path}`);
      if (reply?.status === 200) this.#count('reads while the disk was full');
      else this.failures.push(`${path} on a full disk: ${reply?.status} ${JSON.stringify(reply?.body)}`);
    }
  }

  async #recovers(clients: readonly { turn(): Promise<boolean> }[]): Promise<void> {
    const until = performance.now() + LONGEST_RECOVERY_MS;
    for (const client of clients)
      for (let done = 0; done < 5; ) {
        if (await client.turn()) done += 1;
        else await sleep(50);
        if (performance.now() < until) continue;
        this.failures.push('there is space, and writes are still refused');
        return;
      }
  }

  #count(what: string): void {
    this.figures[what] = (this.figures[what] ?? 0) + 1;
  }
}

/** Takes all space that there is. */
function fill(path: string): void {
  for (const bytes of [1024 * 1024, 4096, 512])
    try {
      for (;;) writeFileSync(path, Buffer.alloc(bytes, 7), { flag: 'a' });
    } catch {
      // Full, for pieces of this size.
    }
}
