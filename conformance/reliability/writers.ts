/** Many processes that push to one model at once, over each storage: who gets which number, and whether all are there. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBlobStore } from '@ingot/core/blob/open';
import { type Finished, runIngot, workDirectory } from './command.ts';
import { fingerprint, observe } from './judge.ts';
import { LIARS, STORAGES, type Storage } from './storages.ts';
import type { Outcome, Trial, TrialOptions } from './trial.ts';

/** 8 writers over each storage in the short form, 32 in the full one. */
export const writers: Trial = {
  name: 'writers',
  about: 'many processes that push to one model at once, over each storage: one chain without gaps, all versions there',
  async run(options: TrialOptions): Promise<Outcome> {
    const figures = new Map<string, number | string>();
    const failures: string[] = [];
    const skipped: string[] = [];
    for (const [name, start] of Object.entries(STORAGES)) {
      let storage: Storage;
      try {
        storage = await start();
      } catch (error) {
        if (process.env.CI === 'true') throw error;
        skipped.push(`${name}: ${String(error).split('\n')[0]}`);
        continue;
      }
      const started = performance.now();
      try {
        const many = options.full ? 32 : 8;
        const result = await race(storage, many, options.seed);
        const what = `of ${many} writers over: ${name}`;
        figures.set(`versions ${what}`, result.versions);
        if (LIARS[name] === undefined)
          failures.push(...[...result.refused, ...result.wrong].map((failure) => `${name}: ${failure}`));
        else figures.set(`refused ${what}`, result.refused.length);
      } finally {
        await storage.close();
      }
      options.say(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    return { figures: Object.fromEntries(figures), failures, skipped };
  },
};

/** What came of a race. */
interface Raced {
  readonly versions: number;
  /** Writers who were told that the storage cannot be published to. */
  readonly refused: readonly string[];
  readonly wrong: readonly string[];
}

/** Lets so many processes push at once, then looks at what is there. */
async function race({ address, env }: Storage, many: number, seed: number): Promise<Raced> {
  using directory = workDirectory();
  const cwd = directory.path;
  const prints = Array.from({ length: many }, (_, writer) => {
    const files = {
      'model.bin': Buffer.from(`weights of writer ${writer}, ${seed}`),
      'shared.bin': Buffer.alloc(5000, 7),
    };
    mkdirSync(join(cwd, `package-${writer}`));
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(cwd, `package-${writer}`, file), bytes);
    return fingerprint(files);
  });
  const world = { ...env, INGOT_REGISTRY: `${address}/race` };
  const finished = await Promise.all(
    prints.map((_, writer) =>
      // Each has its own machine: a cache of its own.
      runIngot(['push', `package-${writer}`, '--name', 'm', '--alias', `writer-${writer}`, '--json'], {
        cwd,
        env: { ...world, INGOT_CACHE: join(cwd, `cache-${writer}`) },
      }),
    ),
  );
  const blobs = await openBlobStore(`${address}/race`, { env: { ...process.env, ...env } });
  const observed = await observe(blobs);
  const refused = finished.filter(({ status }) => status === 6).map(({ stderr }) => stderr);
  return { versions: observed.versions.size, refused, wrong: wrongWith(finished, prints, observed) };
}

function wrongWith(
  finished: readonly Finished[],
  prints: readonly string[],
  observed: Awaited<ReturnType<typeof observe>>,
): string[] {
  const failures = [...observed.failures];
  for (const [writer, { status, signal, stdout, stderr }] of finished.entries()) {
    if (status !== 0) {
      failures.push(`writer ${writer} ended with ${signal ?? status}: ${stderr}`);
      continue;
    }
    const { ref, version } = JSON.parse(stdout);
    if (observed.versions.get(ref) !== prints[writer]) failures.push(`${ref} is not what writer ${writer} pushed`);
    if (observed.aliases.get(`m@writer-${writer}`) !== version) failures.push(`m@writer-${writer} is not ${version}`);
  }
  for (let number = 1; number <= prints.length; number += 1)
    if (!observed.versions.has(`m:${number}`)) failures.push(`there is no m:${number}`);
  if (observed.versions.size !== prints.length) failures.push(`there are ${observed.versions.size} versions`);
  return failures;
}
