/**
 * Two registry servers over one Postgres and one store, and 32 clients that ask both: which version numbers they get and
 * where aliases are has to be explained by one order. One server is killed now and then.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '@ingot/core/seeded-random';
import type { PostgresServer } from '../../../packages/core/test/servers/postgres.ts';
import type { TestServer } from '../../../packages/core/test/servers/server.ts';
import { workDirectory } from '../command.ts';
import type { Outcome, Trial, TrialOptions } from '../trial.ts';
import { ask } from './ask.ts';
import { Contested, counter } from './contested.ts';
import { RegistryProcess } from './registry-process.ts';
import { withStorage } from './with-storage.ts';

const CLIENTS = 32;
const MODELS = ['red', 'green', 'blue'] as const;

/** 60 operations of each client in the full form, 8 in the short one. */
export const twoServers: Trial = {
  name: 'two-servers',
  byHand: true,
  about: 'two registry servers on one Postgres and one bucket, 32 clients: numbers and alias moves are linearizable',
  run: (options) => withStorage((postgres, bucket) => race(postgres, bucket, options)),
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
    MODELS.map((name) => Contested.make(name, { cwd, clock, failures, ask, url: first.url })),
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
