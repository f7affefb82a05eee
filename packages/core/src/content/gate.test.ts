import { expect, test } from 'vitest';
import { Gate } from './gate.ts';

test('no more than its places are taken at a time, in order, also when work fails', async () => {
  const gate = new Gate(2);
  const [begun, ends]: [number[], (() => void)[]] = [[], []];
  const work = (n: number) =>
    gate.through(
      () =>
        new Promise<number>((resolve, reject) => {
          begun.push(n);
          ends.push(() => (n === 1 ? reject(new Error('one')) : resolve(n)));
        }),
    );
  const all = Promise.allSettled([0, 1, 2, 3].map(work));
  expect(begun).toEqual([0, 1]);
  for (let n = 0; n < 4; n += 1) {
    ends[n]?.();
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2, 3].slice(0, n + 3));
  }
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});
