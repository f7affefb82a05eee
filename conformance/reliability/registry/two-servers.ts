/**
 * Two registry servers over one Postgres and one store, and 32 clients that ask both: which version numbers they get and
 * where aliases are has to be explained by one order. One server is killed now and then.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '@ingot/core/seeded-random';
import { type PostgresServer, startPostgres } from '../../../packages/core/test/servers/postgres.ts';
import type { TestServer } from '../../../packages/core/test/servers/server.ts';
import { startVersitygw } from '../../../packages/core/test/servers/versitygw.ts';
import { runIngot, workDirectory } from '../command.ts';
import type { Outcome, Trial, TrialOptions } from '../trial.ts';
import { ask, type Reply } from './ask.ts';
import { ALIAS, type AliasAction, type AliasAnswer, History, type NumberAction, NUMBERS } from './histories.ts';
import { isLinearizable } from './linearizable.ts';
import { writePackage } from './model-client.ts';
import { RegistryProcess } from './registry-process.ts';

const CLIENTS = 32;
const MODELS = ['red', 'green', 'blue'] as const;

/** 60 operations of each client in the full form, 8 in the short one. */
export const twoServers: Trial = {
  name: 'two-servers',
  byHand: true,
  about: 'two registry servers on one Postgres and one bucket, 32 clients: numbers and alias moves are linearizable',
  async run(options: TrialOptions): Promise<Outcome> {
    let postgres: PostgresServer | undefined;
    let bucket: TestServer | undefined;
    try {
      postgres = await startPostgres();
      bucket = await startVersitygw();
    } catch (error) {
      await postgres?.close();
      if (process.env.CI === 'true') throw error;
      return { figures: {}, failures: [], skipped: [String(error).split('\n')[0] ?? ''] };
    }
    try {
      return await race(postgres, bucket, options);
    } finally {
      await postgres.close();
      await bucket.close();
    }
  },
};

async function race(postgres: PostgresServer, bucket: TestServer, options: TrialOptions): Promise<Outcome> {
  using directory = workDirectory();
  const cwd = directory.path;
  const env = { ...bucket.env, INGOT_REGISTRY: `${bucket.address}/two`, INGOT_DB: postgres.address };
  const start = (state: string) => RegistryProcess.start({ cwd, env: { ...env, INGOT_STATE: `${cwd}/${state}` } });
  await using first = await start('first');
  await using second = await start('second');
  const failures: string[] = [];
  const clock = counter();
  const models = await Promise.all(
    MODELS.map((name) => Contested.make(name, { cwd, clock, failures, url: first.url })),
  );
  const random = randomOf(options.seed);
  const servers = [first, second];
  let kills = 0;
  const working = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let turn = 0; turn < (options.full ? 60 : 8); turn += 1) {
      const url = servers[(client + turn) % 2]?.url ?? first.url;
      const model = models[Math.floor(random() * models.length)];
      if (!(await model?.turn(url, random))) await sleep(50);
    }
  });
  const done = { yes: false };
  const all = Promise.all(working).finally(() => {
    done.yes = true;
  });
  while (options.full && !done.yes) {
    await Promise.race([all, sleep(8000 + random() * 8000)]);
    if (done.yes) break;
    await second.kill();
    kills += 1;
    await second.startAgain();
  }
  await all;
  for (const model of models) failures.push(...model.check());
  const figure = (of: (model: Contested) => number): number => models.reduce((sum, model) => sum + of(model), 0);
  return {
    figures: {
      clients: CLIENTS,
      'publications, numbered in one order': figure(({ published }) => published),
      'alias moves, each from where the one before ended': figure(({ moved }) => moved),
      'moves refused because the alias was elsewhere': figure(({ refused }) => refused),
      'reads of aliases and newest versions': figure(({ reads }) => reads),
      'operations without an answer, or with 503': figure(({ unanswered }) => unanswered),
      'kills of a server': kills,
    },
    failures,
    skipped: [],
  };
}

interface Together {
  readonly cwd: string;
  readonly url: string;
  readonly clock: () => number;
  readonly failures: string[];
}

/** A model that many clients write to at once, and the history of its alias and its numbers. */
class Contested {
  readonly #path: string;
  readonly #draft: object;
  readonly #failures: string[];
  readonly #alias: History<AliasAction, AliasAnswer>;
  readonly #numbers: History<NumberAction, number>;
  readonly #name: string;
  #seen: number | null = null;
  published = 0;
  moved = 0;
  refused = 0;
  reads = 0;
  unanswered = 0;

  private constructor(name: string, draft: object, { clock, failures }: Together) {
    this.#name = name;
    this.#path = `/api/v1/models/${name}`;
    this.#draft = draft;
    this.#failures = failures;
    this.#alias = new History(clock);
    this.#numbers = new History(clock);
  }

  /** Pushes a first version, which all others have the contents of. */
  static async make(name: string, together: Together): Promise<Contested> {
    const { cwd, url } = together;
    const nobody = { url, directory: `${cwd}/${name}`, versions: new Map(), failures: [], count: () => {} };
    const { path } = writePackage({ ...nobody, random: Math.random, attempted: new Set() });
    const { status, stderr } = await runIngot(['push', path, '--name', name], { cwd, env: { INGOT_REGISTRY: url } });
    if (status !== 0) throw new Error(`the first push to ${name}: ${stderr}`);
    const reply = await ask<Record<string, unknown>>(`${url}/api/v1/models/${name}/versions/1`);
    const { manifest, recipe, sizeBytes, fileCount, flavor, scan } = reply?.body ?? {};
    const made = new Contested(name, { manifest, recipe, sizeBytes, fileCount, flavor, scan }, together);
    await made.#numbers.record('publish', async () => 1);
    return made;
  }

  /** One operation of one client; false: it came to nothing. */
  async turn(url: string, random: () => number): Promise<boolean> {
    const chance = random();
    if (chance < 0.2) return await this.#readAlias(url);
    if (chance < 0.4) return await this.#readNewest(url);
    const number = await this.#publish(url);
    if (number === undefined) return false;
    // Half of the moves say where they start.
    return await this.#move(url, number, chance < 0.7 ? this.#seen : undefined);
  }

  async #publish(url: string): Promise<number | undefined> {
    const number = await this.#numbers.record('publish', async () => {
      const body = { draft: this.#draft, always: true };
      const reply = await ask<{ version: { number: number } }>(`${url}${this.#path}/versions`, {
        method: 'POST',
        body,
      });
      return this.#isAnswer(reply, [201]) ? reply.body.version.number : undefined;
    });
    if (number !== undefined) this.published += 1;
    return number;
  }

  async #readNewest(url: string): Promise<boolean> {
    const number = await this.#numbers.record('read', async () => {
      const reply = await ask<{ number: number }>(`${url}/api/v1/resolve?ref=${this.#name}`);
      return this.#isAnswer(reply, [200]) ? reply.body.number : undefined;
    });
    this.reads += 1;
    return number !== undefined;
  }

  async #readAlias(url: string): Promise<boolean> {
    const answer = await this.#alias.record({ kind: 'read' }, async () => {
      const reply = await ask<{ number: number }>(`${url}${this.#path}/aliases/production`);
      if (!this.#isAnswer(reply, [200, 404])) return undefined;
      return { kind: 'value', value: reply.status === 404 ? null : reply.body.number };
    });
    this.reads += 1;
    if (answer?.kind === 'value') this.#seen = answer.value;
    return answer !== undefined;
  }

  async #move(url: string, to: number, expected: number | null | undefined): Promise<boolean> {
    const answer = await this.#alias.record(
      { kind: 'set', to, ...(expected !== undefined && { expected }) },
      async () => {
        const body = { number: to, ...(expected !== undefined && { expected }) };
        const reply = await ask<{ from: number | null }>(`${url}${this.#path}/aliases/production`, {
          method: 'PUT',
          body,
        });
        if (!this.#isAnswer(reply, [200, 409])) return undefined;
        return reply.status === 409 ? { kind: 'conflict' } : { kind: 'moved', from: reply.body.from };
      },
    );
    if (answer?.kind === 'moved') {
      this.moved += 1;
      this.#seen = to;
    }
    if (answer?.kind === 'conflict') this.refused += 1;
    return answer !== undefined;
  }

  #isAnswer<Body>(reply: Reply<Body> | undefined, expected: readonly number[]): reply is Reply<Body> {
    if (reply !== undefined && expected.includes(reply.status)) return true;
    this.unanswered += 1;
    if (reply !== undefined && reply.status !== 503)
      this.#failures.push(`${this.#name}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return false;
  }

  /** What no order explains. */
  check(): string[] {
    return [
      ...(isLinearizable(this.#numbers.operations, NUMBERS) ? [] : [`no order explains the numbers of ${this.#name}`]),
      ...(isLinearizable(this.#alias.operations, ALIAS)
        ? []
        : [`no order explains the moves of ${this.#name}@production`]),
    ];
  }
}

function counter(): () => number {
  let last = 0;
  return () => {
    last += 1;
    return last;
  };
}
