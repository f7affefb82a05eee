import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isIngotError } from '@ingot/core/errors';
import { expect, test } from 'vitest';
import { inPace } from './body-pace.ts';

const PACE = { silenceMs: 5000, bytesPerSecond: 1, graceMs: 60_000, lookMs: 1 };

test('nothing of a body is kept behind its reader', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const given: WeakRef<Uint8Array>[] = [];
  const kept: number[] = [];
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 40; n += 1) {
      const piece = new Uint8Array(1024);
      given.push(new WeakRef(piece));
      yield piece;
      // What a reference was made of lives to the end of its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  for await (const piece of inPace(body(), PACE)) {
    expect(piece.byteLength).toBe(1024);
    if (given.length !== 40) continue;
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    kept.push(given.filter((reference) => reference.deref() !== undefined).length);
  }
  expect(kept[0]).toBeLessThan(5);
});

test('a body that falls silent is given up, and its own failure is told as it is', async () => {
  async function* silent(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
    await new Promise(() => {});
  }
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
    throw new Error('cut off');
  }
  const readAll = async (body: AsyncIterable<Uint8Array>): Promise<unknown> => {
    try {
      for await (const _ of inPace(body, { ...PACE, silenceMs: 5 }));
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(isIngotError(await readAll(silent()), 'timeout')).toBe(true);
  expect(await readAll(broken())).toEqual(new Error('cut off'));
});
