/**
 * What a registry server works with goes away under load: Postgres stops, or the line to it breaks; the bucket refuses,
 * is slow, silent, cut, or says that it is busy. Every answer is right or a clear 503 in bounded time, reads from the
 * index need no bucket, and afterwards all goes on by itself.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBlobStore } from '@ingot/core/blob/open';
import { parseModelName, type Reference } from '@ingot/core/ref';
import { FollowingResolver } from '@ingot/core/registry/http/following';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { openServerClient } from '@ingot/core/registry/http/server-client';
import { randomOf } from '@ingot/core/seeded-random';
import { openDatabase } from '@ingot/registry/database/database';
import type { PostgresServer } from '../../../packages/core/test/servers/postgres.ts';
import type { TestServer } from '../../../packages/core/test/servers/server.ts';
import { workDirectory } from '../command.ts';
import { observe } from '../judge.ts';
import { countOf, type Outcome, type Trial, type TrialOptions } from '../trial.ts';
import { Answers } from './answers.ts';
import { ask } from './ask.ts';
import { Contested, counter } from './contested.ts';
import { FaultLine, type LineFault } from './fault-line.ts';
import { lookAtIndex } from './look-at-index.ts';
import { type Client, ModelClient, type Shared } from './model-client.ts';
import { RegistryProcess } from './registry-process.ts';
import { RunClient } from './run-client.ts';
import { SteadyReader } from './steady-reader.ts';
import { withStorage } from './with-storage.ts';

/** Something that goes away for a while. */
interface Outage {
  readonly part: 'bucket' | 'database';
  /** What happens to the line to it; `stops`: Postgres itself ends, and is started again. */
  readonly fault: LineFault | { readonly kind: 'stops' };
  readonly forMs: number;
}

const SLOW_DOWN =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>';
const BROKEN =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>';

const FAULTS: readonly LineFault[] = [
  { kind: 'refuses' },
  { kind: 'resets' },
  { kind: 'is silent' },
  { kind: 'is slow', delayMs: 300 },
  { kind: 'cuts', afterBytes: 300 },
  { kind: 'cuts', afterBytes: 20_000 },
];
const BUCKET_FAULTS: readonly LineFault[] = [
  ...FAULTS,
  { kind: 'answers', status: 503, body: SLOW_DOWN },
  { kind: 'answers', status: 500, body: BROKEN },
];

const FULL_MS = 10_000;
const SHORT_MS = 1500;
/** How soon everything has to be done again after an outage. */
const LONGEST_RECOVERY_MS = 30_000;
const GROWTH_MIB = 150;

function outagesOf({ full, seed }: TrialOptions): readonly Outage[] {
  const forMs = full ? FULL_MS : SHORT_MS;
  const stops: Outage = { part: 'database', fault: { kind: 'stops' }, forMs };
  const bucket = BUCKET_FAULTS.map((fault): Outage => ({ part: 'bucket', fault, forMs }));
  const database = FAULTS.map((fault): Outage => ({ part: 'database', fault, forMs }));
  if (full) return [...bucket, stops, ...database, stops];
  const loud = (outage: Outage): boolean => outage.fault.kind !== 'is silent';
  const random = randomOf(seed);
  const some = (of: readonly Outage[]): Outage[] => of.filter(loud).filter(() => random() < 1.5 / of.length);
  return [stops, ...some(bucket), ...some(database), { part: 'bucket', fault: { kind: 'refuses' }, forMs }];
}

/** Sixteen outages of 10 seconds and more over two servers in the full form, some of 1.5 seconds over one in the short one. */
export const outages: Trial = {
  name: 'outages',
  byHand: true,
  about: 'Postgres and the bucket of a registry server stop, refuse, reset, fall silent, are slow or cut, under load',
  run: (options) => withStorage((postgres, bucket) => tryAll(postgres, bucket, options)),
};

async function tryAll(postgres: PostgresServer, bucket: TestServer, options: TrialOptions): Promise<Outcome> {
  using directory = workDirectory();
  const cwd = directory.path;
  const address = new URL(postgres.address);
  await using databaseLine = await FaultLine.to(Number(address.port));
  await using bucketLine = await FaultLine.to(bucket.port);
  address.port = String(databaseLine.port);
  const env = {
    ...bucket.env,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${bucketLine.port}`,
    INGOT_REGISTRY: `${bucket.address}/outages`,
    INGOT_DB: address.href,
    // Packs go through the server, which is what is tried.
    INGOT_DIRECT: 'no',
  };
  const start = (state: string) => RegistryProcess.start({ cwd, env: { ...env, INGOT_STATE: `${cwd}/${state}` } });
  await using first = await start('first');
  await using second = options.full ? await start('second') : first;
  const trial = new Outages({
    cwd,
    servers: [...new Set([first, second])],
    postgres,
    databaseLine,
    bucketLine,
    options,
  });
  await trial.open();
  await trial.run();
  await trial.verify();
  for (const server of trial.servers) {
    if (server.pid === undefined) trial.failures.push(`a server ended: ${server.printed}`);
    await server.stop();
  }
  const blobs = await openBlobStore(`${bucket.address}/outages`, { env: bucket.env });
  await trial.lookAtStore(await observe(blobs));
  await using database = await openDatabase({ directory: cwd, address: postgres.address });
  const { rows, failures } = await lookAtIndex(database.index, blobs);
  trial.failures.push(...failures);
  return {
    figures: { ...trial.figures(), 'rows of the index, each as in a rebuilt one': rows },
    failures: counted(trial.failures),
    skipped: [],
  };
}

interface Parts {
  readonly cwd: string;
  readonly servers: readonly RegistryProcess[];
  readonly postgres: PostgresServer;
  readonly databaseLine: FaultLine;
  readonly bucketLine: FaultLine;
  readonly options: TrialOptions;
}

const MODEL_CLIENTS = 2;
const RUN_CLIENTS = 2;
/** Few: each number that two want at once costs the loser another turn at the bucket. */
const CONTESTING = 3;
const READERS = 4;

class Outages {
  readonly failures: string[] = [];
  readonly servers: readonly RegistryProcess[];
  readonly #parts: Parts;
  readonly #random: () => number;
  readonly #counts = new Map<string, number>();
  readonly #weather: { away: string | undefined; isBucket: boolean } = { away: undefined, isBucket: false };
  readonly #recoveries: number[] = [];
  #answers: Answers;
  #shared: Shared;
  #models: readonly ModelClient[] = [];
  #clients: readonly Client[] = [];
  #contested: Contested | undefined;
  #steady: SteadyReader | undefined;
  #follower: FollowingResolver | undefined;
  #isOver = false;
  #grewMib = 0;
  #told = 0;
  #survived = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.servers = parts.servers;
    this.#random = randomOf(parts.options.seed);
    this.#answers = new Answers(this.failures, this.#weather, {});
    this.#shared = this.#sharing('');
  }

  #sharing(token: string): Shared {
    const authorization = `Bearer ${token}`;
    this.#answers = new Answers(this.failures, this.#weather, { authorization });
    return {
      url: this.#url(0),
      directory: this.#parts.cwd,
      random: this.#random,
      versions: new Map(),
      attempted: new Set(),
      failures: this.failures,
      ask: this.#answers.ask,
      authorization,
      count: (what) => void this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1),
    };
  }

  #url(client: number): string {
    return this.servers[client % this.servers.length]?.url ?? '';
  }

  /** Makes an account, whose token all clients use, and what they work on. */
  async open(): Promise<void> {
    const { cwd } = this.#parts;
    const token = await adminToken(this.#url(0));
    this.#shared = this.#sharing(token);
    const env = { INGOT_REGISTRY: this.#url(0), INGOT_TOKEN: token };
    this.#steady = await SteadyReader.make(this.#shared, env, this.#answers);
    this.#contested = await Contested.make('contested', {
      ...{ cwd, env, url: this.#url(0), clock: counter(), failures: this.failures, ask: this.#answers.ask },
    });
    const at = (client: number): Shared => ({ ...this.#shared, url: this.#url(client) });
    this.#models = await Promise.all(
      Array.from({ length: MODEL_CLIENTS }, (_, client) => ModelClient.open(at(client), `model-${client}`)),
    );
    const runs = Array.from({ length: RUN_CLIENTS }, (_, client) => new RunClient(at(client), `runner ${client}`));
    this.#clients = [...this.#models, ...runs];
    for (const client of this.#clients) await client.turn();
    const client = await openServerClient(this.#url(1), {
      env: {},
      authorization: `Bearer ${token}`,
      retry: { attempts: 1 },
    });
    this.#follower = new FollowingResolver(createHttpRegistry(client), client);
  }

  /** One outage after the other, while everybody works. */
  async run(): Promise<void> {
    const before = memoryOf(this.servers);
    const everybody = [
      ...this.#clients.map((client) => this.#serve(client)),
      ...Array.from({ length: CONTESTING }, (_, client) =>
        this.#working(async () => (await this.#contested?.turn(this.#url(client), this.#random)) ?? false),
      ),
      ...Array.from({ length: READERS }, (_, client) => this.#working(() => this.#read(client))),
      this.#working(() => this.#follow()),
      this.#working(() => this.#lookAtHealth()),
    ];
    await this.#untilWell('the start');
    for (const outage of outagesOf(this.#parts.options)) await this.#suffer(outage);
    this.#isOver = true;
    await Promise.all(everybody);
    this.#grewMib = Math.round(memoryOf(this.servers) - before);
    if (this.#grewMib > GROWTH_MIB * this.servers.length) this.failures.push(`servers grew by ${this.#grewMib} MiB`);
  }

  async #working(turn: () => Promise<unknown>): Promise<void> {
    while (!this.#isOver) {
      const isDone = await turn();
      await sleep(isDone === false ? 200 : 60);
    }
  }

  /** After each outage a client looks whether what it did is there, and does nothing meanwhile. */
  async #serve(client: Client): Promise<void> {
    let seen = 0;
    await this.#working(async () => {
      if (seen !== this.#survived) await client.verify();
      seen = this.#survived;
      return client.turn();
    });
  }

  async #suffer(outage: Outage): Promise<void> {
    const { part, fault, forMs } = outage;
    const told = `the ${part} ${fault.kind}`;
    this.#weather.away = told;
    this.#weather.isBucket = part === 'bucket';
    await this.#begin(outage);
    await this.#readiness(outage);
    await sleep(forMs);
    await this.#end(outage);
    this.#weather.isBucket = false;
    const seconds = await this.#untilWell(told);
    this.#recoveries.push(seconds);
    this.#parts.options.say(`${told}: all is well after ${seconds.toFixed(1)} s, ${this.failures.length} broken`);
    this.#survived += 1;
    for (const failure of counted(this.failures.slice(this.#told))) this.#parts.options.say(`broken: ${failure}`);
    this.#told = this.failures.length;
  }

  async #begin({ part, fault }: Outage): Promise<void> {
    if (fault.kind === 'stops') await this.#parts.postgres.stop();
    else await this.#line(part).break(fault);
  }

  async #end({ part, fault }: Outage): Promise<void> {
    if (fault.kind === 'stops') await this.#parts.postgres.start();
    else await this.#line(part).mend();
  }

  #line(part: Outage['part']): FaultLine {
    return part === 'bucket' ? this.#parts.bucketLine : this.#parts.databaseLine;
  }

  /** In the full form there is time to see that the server says what is away. */
  async #readiness({ part, fault }: Outage): Promise<void> {
    if (!this.#parts.options.full || fault.kind === 'is slow' || fault.kind === 'cuts') return;
    await sleep(6000);
    const reply = await ask<Record<string, unknown>>(`${this.#url(0)}/readyz`);
    const name = part === 'bucket' ? 'store' : 'database';
    if (reply?.status !== 503 || reply.body[name] !== 'does not answer')
      this.failures.push(`the ${part} ${fault.kind}, and /readyz says ${reply?.status} ${JSON.stringify(reply?.body)}`);
  }

  /** Waits until everything is done again, and gives after how many seconds it was. */
  async #untilWell(what: string): Promise<number> {
    const began = performance.now();
    const seconds = (): number => (performance.now() - began) / 1000;
    while (!(await this.#isWell())) {
      if (seconds() * 1000 > LONGEST_RECOVERY_MS) {
        this.failures.push(`${what}: not everything is done again after ${LONGEST_RECOVERY_MS / 1000} s`);
        break;
      }
      await sleep(50);
    }
    const took = seconds();
    // Answers to what was asked before are on their way.
    await sleep(200);
    this.#weather.away = undefined;
    return took;
  }

  async #isWell(): Promise<boolean> {
    for (const { url } of this.servers) {
      const moved = await this.#contested?.probe(url);
      const tagged = await this.#shared.ask(`${url}/api/2.0/mlflow/experiments/set-experiment-tag`, {
        method: 'POST',
        body: { experiment_id: '0', key: 'probe', value: 'x' },
      });
      const ready = await this.#shared.ask(`${url}/api/v1/models/steady/versions/2`);
      if (moved !== true || tagged?.status !== 200 || ready?.status !== 200) return false;
    }
    return true;
  }

  async #read(client: number): Promise<void> {
    const { isBucket } = this.#weather;
    await this.#steady?.turn(this.#url(client), this.#random, () => isBucket && this.#weather.isBucket);
  }

  /** As a model server does, which does without while the registry is away. */
  async #follow(): Promise<void> {
    const seen = await this.#follower?.resolve(FOLLOWED).catch(() => undefined);
    if (seen !== undefined) this.#shared.count('looks of a follower');
  }

  async #lookAtHealth(): Promise<void> {
    for (const { url } of this.servers) {
      const reply = await ask(`${url}/healthz`, { timeoutMs: 5000 });
      if (reply?.status !== 200) this.failures.push(`/healthz says ${reply?.status} while ${this.#weather.away}`);
    }
    await sleep(250);
  }

  /** Everything that was acknowledged, read again; a follower has arrived where the alias is. */
  async verify(): Promise<void> {
    for (const client of this.#clients) await client.verify();
    const reply = await this.#shared.ask<{ number: number }>(
      `${this.#url(0)}/api/v1/models/contested/aliases/production`,
    );
    const until = performance.now() + 10_000;
    for (let seen = -1; seen !== reply?.body.number; ) {
      seen = (await this.#follower?.resolve(FOLLOWED).catch(() => undefined))?.number ?? -1;
      if (performance.now() > until) {
        this.failures.push(`a follower is at ${seen}, the alias at ${reply?.body.number}`);
        break;
      }
      await sleep(50);
    }
    this.#follower?.[Symbol.dispose]();
    this.#parts.options.say('looking for an order that explains the answers');
    this.failures.push(...(this.#contested?.check() ?? []));
    this.#parts.options.say('looking at the store');
  }

  async lookAtStore({ versions, aliases, failures }: Awaited<ReturnType<typeof observe>>): Promise<void> {
    this.failures.push(...failures);
    for (const [ref, print] of this.#shared.versions)
      if (versions.get(ref) !== print) this.failures.push(`${ref} was acknowledged and is ${versions.get(ref)}`);
    for (const model of this.#models) model.aliasIn(aliases);
    this.#counts.set('versions in the store, each byte compared', versions.size);
  }

  figures(): Record<string, number> {
    const { given, refused, longestMs } = this.#answers;
    return {
      outages: this.#recoveries.length,
      answers: given,
      'of them a clear 503': refused,
      'seconds that the longest answer took': Number((longestMs / 1000).toFixed(1)),
      'seconds that the longest recovery took': Number(Math.max(...this.#recoveries).toFixed(1)),
      'reads from the index while the bucket was away': this.#steady?.readWithoutBucket ?? 0,
      'files that came whole': this.#steady?.downloads ?? 0,
      'files that were cut': this.#steady?.cut ?? 0,
      'publications, numbered in one order': this.#contested?.published ?? 0,
      'alias moves, each from where the one before ended': this.#contested?.moved ?? 0,
      'MiB that the servers grew by': this.#grewMib,
      ...Object.fromEntries(this.#counts),
    };
  }
}

const FOLLOWED: Reference = {
  name: parseModelName('contested'),
  selector: { kind: 'alias', alias: 'production' },
};

/** Makes the first account, which ends that everybody may do everything, and a token of it. */
async function adminToken(url: string): Promise<string> {
  const [name, password] = ['ana', 'a-long-enough-password'];
  const made = await ask(`${url}/api/v1/accounts`, { method: 'POST', body: { name, password } });
  const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  const reply = await ask<{ token: string }>(`${url}/api/v1/tokens`, {
    method: 'POST',
    body: { name: 'trial' },
    headers: { authorization },
  });
  if (reply?.status !== 201) throw new Error(`no token: ${JSON.stringify(made?.body)} ${JSON.stringify(reply?.body)}`);
  return reply.body.token;
}

/** Resident memory of the servers together, in MiB. */
function memoryOf(servers: readonly RegistryProcess[]): number {
  return servers.reduce((sum, { pid }) => {
    if (pid === undefined || process.platform !== 'linux') return sum;
    return sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  }, 0);
}

/** Each failure once, with how often it was seen. */
function counted(failures: readonly string[]): string[] {
  const alike = countOf(
    failures.map((failure) => failure.replace(/\b[0-9a-f]{16,}\b|file-\d+|127\.0\.0\.1:\d+/g, '…')),
  );
  return Object.entries(alike).map(([failure, count]) => (count === 1 ? failure : `${failure} (${count} times)`));
}
