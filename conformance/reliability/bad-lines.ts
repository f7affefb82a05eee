/** Bad lines between a command and S3: slow, cut, reset, sliced, ended early. Every transfer ends right or says so, and resumes. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { openBlobStore } from '@ingot/core/blob/open';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { randomOf } from '@ingot/core/seeded-random';
import { type Toxic, type Toxiproxy, startToxiproxy } from '../../packages/core/test/servers/toxiproxy.ts';
import type { TestServer } from '../../packages/core/test/servers/server.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';
import { errorOf, type Finished, runIngot, workDirectory } from './command.ts';
import { fingerprintOf, judge, type Ledger, observe } from './judge.ts';
import { eachOf, type Outcome, sampled, type Trial, type TrialOptions } from './trial.ts';
import { collect, Person, removeVersion, setAlias, type Work } from './work.ts';

const MODEL_BYTES = 3_000_000;

const FAULTS: readonly Omit<Toxic, 'stream'>[] = [
  { type: 'latency', toxicity: 1, attributes: { latency: 30, jitter: 20 } },
  { type: 'bandwidth', toxicity: 1, attributes: { rate: 2000 } },
  { type: 'slicer', toxicity: 1, attributes: { average_size: 1000, size_variation: 500, delay: 50 } },
  { type: 'timeout', toxicity: 0.4, attributes: { timeout: 300 } },
  { type: 'timeout', toxicity: 1, attributes: { timeout: 300 } },
  { type: 'reset_peer', toxicity: 0.4, attributes: { timeout: 20 } },
  { type: 'reset_peer', toxicity: 1, attributes: { timeout: 20 } },
  { type: 'limit_data', toxicity: 1, attributes: { bytes: 20_000 } },
  { type: 'limit_data', toxicity: 1, attributes: { bytes: 1_000_000 } },
];

/** Commands over a bad line; each in a store of its own in which `a` has the versions 1 and 2. */
const COMMANDS: Readonly<Record<string, (person: Person, address: string) => Work>> = {
  push: (person) => person.push('a', { alias: 'production', bytes: MODEL_BYTES }),
  pull: () => ({ kind: 'pull', words: ['pull', 'a:2', '-o', 'out'], after: (before) => before }),
  'alias set': () => setAlias('a', 'production', 1),
  gc: () => collect(),
  mirror: (_, address) => ({ kind: 'mirror', words: ['mirror', address, 'standby'], after: (before) => before }),
};

/** Each fault in both directions under each command in the full form, six of them in the short one. */
export const badLines: Trial = {
  name: 'bad-lines',
  about: 'latency, little bandwidth, cuts, resets, slices and early ends between push, pull, alias, gc, mirror and S3',
  async run(options: TrialOptions): Promise<Outcome> {
    let started: { readonly server: TestServer; readonly proxy: Toxiproxy };
    try {
      started = { server: await startVersitygw(), proxy: await startToxiproxy() };
    } catch (error) {
      if (process.env.CI === 'true') throw error;
      return { figures: {}, failures: [], skipped: [String(error).split('\n')[0] ?? ''] };
    }
    try {
      return await tryAll(started.server, started.proxy, options);
    } finally {
      await started.proxy.close();
      await started.server.close();
    }
  },
};

interface Case {
  readonly command: string;
  readonly toxic: Toxic;
  readonly number: number;
}

async function tryAll(server: TestServer, proxy: Toxiproxy, { full, seed, say }: TrialOptions): Promise<Outcome> {
  const all: Case[] = FAULTS.flatMap((fault) =>
    (['upstream', 'downstream'] as const).flatMap((stream) =>
      Object.keys(COMMANDS).map((command) => ({ command, toxic: { ...fault, stream } })),
    ),
  ).map((one, number) => ({ ...one, number }));
  const figures: Record<string, number> = {};
  const failures: string[] = [];
  await eachOf(full ? all : sampled(all, 6, randomOf(seed)), 2, async (one) => {
    const { type, stream, toxicity } = one.toxic;
    const label = `${one.command} over ${type} ${stream} of ${toxicity * 100} % of the connections`;
    const began = performance.now();
    const { ended, wrong } = await new BadLine(server, proxy, seed).try(one);
    const what = `${type}: ${ended}`;
    figures[what] = (figures[what] ?? 0) + 1;
    failures.push(...wrong.map((failure) => `${label}: ${failure}`));
    say(`${label}: ${ended}, ${((performance.now() - began) / 1000).toFixed(1)} s`);
  });
  return { figures, failures, skipped: [] };
}

class BadLine {
  readonly #server: TestServer;
  readonly #proxy: Toxiproxy;
  readonly #seed: number;

  constructor(server: TestServer, proxy: Toxiproxy, seed: number) {
    this.#server = server;
    this.#proxy = proxy;
    this.#seed = seed;
  }

  async try({ command, toxic, number }: Case): Promise<{ readonly ended: string; readonly wrong: readonly string[] }> {
    using directory = workDirectory();
    const cwd = directory.path;
    const address = `${this.#server.address}/line-${this.#seed}-${number}`;
    const env = { ...this.#server.env, INGOT_REGISTRY: address, INGOT_RETRIES: '3', INGOT_STORAGE_TIMEOUT: '2' };
    const blobs = await openBlobStore(address, { env });
    const person = new Person(cwd, randomOf(number));
    const before = await prepared(person, blobs, cwd, env);
    const work = COMMANDS[command]?.(person, address) ?? collect();
    const after = work.after(before);
    const words = [...work.words, '--json'];

    const line = await this.#proxy.line(this.#server.port, [toxic]);
    const through = { ...env, AWS_ENDPOINT_URL: `http://127.0.0.1:${line.port}` };
    const finished = await runIngot(words, { cwd, env: through });
    await line.close();
    const wrong = [
      ...told(finished),
      ...(await lookAt(blobs, cwd, { before, after, acknowledged: finished.status === 0 })),
    ];

    const again = await runIngot(words, { cwd, env });
    if (again.status !== 0) wrong.push(`again: ${again.stderr}`);
    else
      wrong.push(
        ...(await lookAt(blobs, cwd, { before: after, after, acknowledged: true })).map(
          (failure) => `again: ${failure}`,
        ),
      );
    return { ended: finished.status === 0 ? 'ended right' : 'refused with its cause, then resumed', wrong };
  }
}

/** Pushes two versions and deletes one of another model, so that there is something to bring, to move and to collect. */
async function prepared(person: Person, blobs: BlobStore, cwd: string, env: Record<string, string>): Promise<Ledger> {
  let ledger: Ledger = await observe(blobs);
  for (const next of [
    () => person.push('a'),
    () => person.push('a', { bytes: MODEL_BYTES }),
    () => person.push('b'),
    () => person.push('b'),
    () => removeVersion('b', 1),
  ]) {
    const work = next();
    const { status, stderr } = await runIngot(work.words, { cwd, env });
    if (status !== 0) throw new Error(`${work.words.join(' ')}: ${stderr}`);
    ledger = work.after(ledger);
    person.see(ledger);
  }
  return ledger;
}

/** What is wrong with how a command over a bad line ended: well, or with 7 and one error. */
function told(finished: Finished): string[] {
  if (finished.status === 0) return [];
  const { code, message } = errorOf(finished);
  if (finished.status === 7 && ['unavailable', 'timeout'].includes(code)) return [];
  return [`ended with ${finished.signal ?? finished.status} [${code}] ${message}`];
}

async function lookAt(blobs: BlobStore, cwd: string, expected: Parameters<typeof judge>[1]): Promise<string[]> {
  const failures = [...(await judge(blobs, expected)).failures];
  const out = join(cwd, 'out');
  const wanted = expected.before.versions.get('a:2');
  if (existsSync(out) && fingerprintOf(out, readdirSync(out)) !== wanted) failures.push('what was pulled is not a:2');
  const standby = join(cwd, 'standby');
  if (existsSync(standby))
    failures.push(...(await observe(createLocalBlobStore(standby))).failures.map((failure) => `mirror: ${failure}`));
  return failures;
}
