import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, workDirectory } from './run-case.ts';

/** The repository's own Python environment, which has scikit-learn. */
const PYTHON = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));

/** Trains a classifier that says 0 or 1 of a row by where the labels change. */
const TRAIN = `
import pickle, sys
import numpy as np
from sklearn.tree import DecisionTreeClassifier
for path, labels in zip(sys.argv[1::2], sys.argv[2::2]):
    model = DecisionTreeClassifier().fit(np.arange(len(labels)).reshape(-1, 1), [int(c) for c in labels])
    with open(path, "wb") as file:
        pickle.dump(model, file)
`;

beforeAll(buildOnce);

interface Answer {
  readonly predictions: readonly number[];
  readonly model: string;
  readonly version: string;
  readonly digest: string;
}

/** Asks one question after another until it is told to stop; keeps what was answered, and counts what failed. */
function load(url: string, paths: readonly string[]) {
  const seen = new Map<string, Answer>();
  let [asked, failed, running] = [0, 0, true];
  const ask = async (path: string): Promise<void> => {
    while (running) {
      asked += 1;
      try {
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: '[{"x0": 1}]' });
        const answer: Answer = JSON.parse(await response.text());
        if (!response.ok) failed += 1;
        else seen.set(`${answer.version} ${answer.predictions.join()}`, answer);
      } catch {
        failed += 1;
      }
    }
  };
  const all = Promise.all(paths.map(ask));
  const until = async (key: string): Promise<Answer> => {
    for (let tries = 0; tries < 600; tries += 1) {
      const answer = seen.get(key);
      if (answer !== undefined) return answer;
      await sleep(100);
    }
    throw new Error(`"${key}" was never answered; there were: ${[...seen.keys()].join(', ')}`);
  };
  const stop = async () => {
    running = false;
    await all;
    return { asked, failed };
  };
  return { until, stop, seen };
}

describe.skipIf(!existsSync(PYTHON))('a model server that follows files', () => {
  it('swaps to newer and to replaced pickles under load without a failed request, and passes broken ones by', async () => {
    using directory = workDirectory();
    const cwd = directory.path;
    const [models, made] = [join(cwd, 'models'), join(cwd, 'made')];
    await mkdir(models);
    await mkdir(made);
    const trained = ['a', '00', 'b', '01', 'c', '10'].map((word, at) => (at % 2 === 0 ? join(made, word) : word));
    execFileSync(PYTHON, ['-c', TRAIN, ...trained]);
    await copyFile(join(made, 'a'), join(models, 'sentiment_model_v1.9.pkl'));
    const child = spawn(
      process.execPath,
      [BINARY, 'serve', `file://${models}/sentiment_model_v*.pkl`, '--port', '0', '--env', 'none', '--json'],
      { cwd, env: { ...worldOf(cwd), PYTHON }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    child.stderr.on('data', (data) => {
      log += data;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    try {
      const line: IteratorResult<string> = await createInterface({ input: child.stdout })
        [Symbol.asyncIterator]()
        .next();
      if (line.done === true) throw new Error(`ingot serve ended: ${log}`);
      const { url } = JSON.parse(line.value);
      const asking = load(url, ['/predict/sentiment-model', '/predict/sentiment-model']);
      expect(await asking.until('1.9 0')).toMatchObject({ model: 'sentiment-model', version: '1.9' });

      // A newer version appears, written in place in two halves.
      const bytes = await readFile(join(made, 'b'));
      await writeFile(join(models, 'sentiment_model_v1.10.pkl'), bytes.subarray(0, 200));
      await sleep(300);
      await writeFile(join(models, 'sentiment_model_v1.10.pkl'), bytes);
      const second = await asking.until('1.10 1');

      // What is no model, or only half of one, changes nothing.
      await writeFile(join(models, 'sentiment_model_vocab.txt'), 'words');
      await writeFile(join(models, 'sentiment_model_v3.pkl'), bytes.subarray(0, 300));
      for (let tries = 0; tries < 100 && !log.includes('not whole'); tries += 1) await sleep(100);
      expect(log).toMatch(/its last version answers on: .*sentiment_model_v3\.pkl ends in the middle/);
      await rm(join(models, 'sentiment_model_v3.pkl'));

      // The newest is replaced under its name, also for those who ask for that version.
      const pinned = load(url, ['/predict/sentiment-model/versions/1.10']);
      await copyFile(join(made, 'c'), join(models, '.arriving'));
      await rename(join(models, '.arriving'), join(models, 'sentiment_model_v1.10.pkl'));
      const third = await asking.until('1.10 0');
      expect(third.digest).not.toBe(second.digest);
      await pinned.until('1.10 0');
      expect(await pinned.stop()).toMatchObject({ failed: 0 });

      // The directory goes away, and it goes on.
      await rename(models, `${models}-away`);
      await sleep(2500);
      const { asked, failed } = await asking.stop();
      expect(failed, log).toBe(0);
      expect(asked).toBeGreaterThan(50);
      expect([...asking.seen.keys()]).toEqual(['1.9 0', '1.10 1', '1.10 0']);
      expect(log).toContain('has not answered since');
    } finally {
      child.kill('SIGTERM');
    }
    expect(await ended).toBe(0);
  });
});
