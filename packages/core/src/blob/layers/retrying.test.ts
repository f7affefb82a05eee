import { describe, expect, it } from 'vitest';
import { IngotError } from '../../errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';
import { createMemoryBlobStore } from '../memory.ts';
import type { BlobCall } from './observed.ts';
import { observed } from './observed.ts';
import type { RetryOptions } from './patience.ts';
import { retrying } from './retrying.ts';

const cut = () => new IngotError('unavailable', 'the connection was reset');
const MIB = 2 ** 20;

/** Numbers that look random and are the same in each run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Waits are only noted. */
function patient(options: RetryOptions = {}): { options: RetryOptions; waits: number[] } {
  const waits: number[] = [];
  const sleep = async (milliseconds: number): Promise<void> => void waits.push(milliseconds);
  return { waits, options: { random: () => 1, sleep, clock: () => 0, ...options } };
}

async function answering(store: BlobStore): Promise<BlobStore> {
  await store.stat('first');
  return store;
}

/** Fails the calls whose numbers are given, before or after the storage has done them. */
function failing(inner: BlobStore, numbers: readonly number[], when: 'before' | 'after' = 'before'): BlobStore {
  const fail = ({ number }: BlobCall): void => {
    if (numbers.includes(number)) throw cut();
  };
  return observed(inner, { [when]: fail });
}

describe('retrying', () => {
  it('gives what was asked for under any mixture of cuts and lost replies', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = seeded(seed);
      const fault = (): void => {
        if (random() < 0.25) throw cut();
      };
      const inner = createMemoryBlobStore();
      const piece = (_: BlobCall, bytes: Uint8Array): Uint8Array => {
        fault();
        return bytes;
      };
      const { options } = patient({ attempts: 60, firstAttempts: 60 });
      const store = retrying(observed(inner, { before: fault, after: fault, piece }), options);
      const bytes = Buffer.alloc(3 * MIB + 17, `seed ${seed} `);
      const keys = ['a/1', 'a/2', 'b'];
      for (const key of keys) expect(['created', 'exists']).toContain(await store.write(key, bodyOf(bytes)));
      expect((await collect(store.read('a/1'))).equals(bytes)).toBe(true);
      const part = await collect(store.read('a/2', { range: { start: 5, end: 2 * MIB } }));
      expect(part.equals(bytes.subarray(5, 2 * MIB))).toBe(true);
      const listed: string[] = [];
      for await (const { key } of store.list('')) listed.push(key);
      expect(listed).toEqual(keys);
      await store.delete('b');
      expect(await store.stat('b')).toBeUndefined();
    }
  });

  it('reads on from the byte where it was cut', async () => {
    const inner = createMemoryBlobStore();
    await inner.write('k', bodyOf(Buffer.alloc(3 * MIB, 7)));
    const starts: (number | undefined)[] = [];
    let pieces = 0;
    const cutting = observed(inner, {
      piece: (_, bytes) => {
        pieces += 1;
        if (pieces === 3) throw cut();
        return bytes;
      },
    });
    const noted: BlobStore = {
      ...cutting,
      read: (key, call) => {
        starts.push(call?.range?.start);
        return cutting.read(key, call);
      },
    };
    expect((await collect(retrying(noted, patient().options).read('k'))).byteLength).toBe(3 * MIB);
    expect(starts).toEqual([undefined, 2 * MIB]);
  });

  it('takes a range as read when only the end of the reply was lost', async () => {
    const inner = createMemoryBlobStore();
    await inner.write('k', bodyOf('0123456789'));
    let reads = 0;
    const store = retrying(
      observed(inner, {
        after: () => {
          reads += 1;
          throw cut();
        },
      }),
      patient().options,
    );
    expect((await collect(store.read('k', { range: { start: 2, end: 5 } }))).toString()).toBe('234');
    expect(reads).toBe(1);
  });

  it('says "exists" of a write whose first reply was lost, and the bytes are there', async () => {
    const inner = createMemoryBlobStore();
    const store = await answering(retrying(failing(inner, [2], 'after'), patient().options));
    expect(await store.write('event', bodyOf('mine'))).toBe('exists');
    expect((await collect(store.read('event'))).toString()).toBe('mine');
  });

  it('opens the body again for each attempt', async () => {
    const inner = createMemoryBlobStore();
    let opened = 0;
    const body = {
      sizeBytes: 3,
      open: async function* () {
        opened += 1;
        yield Buffer.from('abc');
      },
    };
    let writes = 0;
    const halfway: BlobStore = {
      ...inner,
      write: async (key, given, call) => {
        writes += 1;
        if (writes < 3) {
          await collect(given.open());
          throw cut();
        }
        return inner.write(key, given, call);
      },
    };
    expect(await retrying(halfway, patient().options).write('k', body)).toBe('created');
    expect(opened).toBe(3);
  });

  it('does not repeat a write whose body failed, and throws the failure as it is', async () => {
    const failure = new IngotError('unavailable', 'the other storage is away');
    let opened = 0;
    const body = {
      sizeBytes: 3,
      // biome-ignore lint/correctness/useYield: it fails before it gives anything
      open: async function* (): AsyncGenerator<Uint8Array> {
        opened += 1;
        throw failure;
      },
    };
    await expect(retrying(createMemoryBlobStore(), patient().options).write('k', body)).rejects.toBe(failure);
    expect(opened).toBe(1);
  });

  it('does not repeat what cannot get better', async () => {
    let calls = 0;
    const refusing = observed(createMemoryBlobStore(), {
      before: () => {
        calls += 1;
        throw new IngotError('forbidden', 'no');
      },
    });
    await expect(retrying(refusing, patient().options).stat('k')).rejects.toMatchObject({ code: 'forbidden' });
    expect(calls).toBe(1);
  });

  it('waits longer each time, up to a limit, and takes only a random part of it', async () => {
    const inner = createMemoryBlobStore();
    const { options, waits } = patient();
    const store = await answering(retrying(failing(inner, [2, 3, 4, 5, 6, 7, 8]), options));
    await expect(store.stat('k')).rejects.toMatchObject({ code: 'unavailable' });
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400]);
    const lucky = patient({ random: () => 0.25 });
    await (await answering(retrying(failing(inner, [2]), lucky.options))).stat('k');
    expect(lucky.waits).toEqual([50]);
  });

  it('waits at least as long as the storage asks for, and never more than half a minute', async () => {
    const inner = createMemoryBlobStore();
    for (const [asked, waited] of [
      [5000, 5000],
      [3_600_000, 30_000],
    ] as const) {
      let calls = 0;
      const busy = observed(inner, {
        before: () => {
          calls += 1;
          if (calls === 1) throw new IngotError('overloaded', 'slow down', { details: { retryAfterMs: asked } });
        },
      });
      const { options, waits } = patient();
      await retrying(busy, options).stat('k');
      expect(waits).toEqual([waited]);
    }
  });

  it('gives a storage that never answered three tries, and one that was given up on a single one until it answers', async () => {
    let away = true;
    let calls = 0;
    const inner = observed(createMemoryBlobStore(), {
      before: () => {
        calls += 1;
        if (away) throw cut();
      },
    });
    const store = retrying(inner, patient().options);
    const triesOf = async (): Promise<number> => {
      calls = 0;
      await store.stat('k').catch(() => undefined);
      return calls;
    };
    expect(await triesOf()).toBe(3);
    expect(await triesOf()).toBe(1);
    away = false;
    expect(await triesOf()).toBe(1);
    away = true;
    expect(await triesOf()).toBe(7);
  });

  it('gives up when a call got nowhere for a minute', async () => {
    let time = 0;
    const { options } = patient({ clock: () => time });
    let calls = 0;
    const swallowed = observed(createMemoryBlobStore(), {
      before: () => {
        calls += 1;
        if (calls === 1) return;
        time += 45_000;
        throw cut();
      },
    });
    const store = await answering(retrying(swallowed, options));
    await expect(store.stat('k')).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toBe(4);
  });

  it('stops waiting when the signal fires', async () => {
    const stop = new AbortController();
    const sleep = async (): Promise<void> => stop.abort();
    let calls = 0;
    const away = observed(createMemoryBlobStore(), {
      before: () => {
        calls += 1;
        throw cut();
      },
    });
    const store = retrying(away, { sleep, random: () => 1 });
    await expect(store.stat('k', { signal: stop.signal })).rejects.toMatchObject({ code: 'interrupted' });
    expect(calls).toBe(1);
  });

  it('stops a real wait at once when the signal fires', async () => {
    const away = observed(createMemoryBlobStore(), {
      before: () => {
        throw new IngotError('overloaded', 'slow down', { details: { retryAfterMs: 30_000 } });
      },
    });
    const stop = new AbortController();
    const pending = retrying(away).stat('k', { signal: stop.signal });
    setImmediate(() => stop.abort());
    await expect(pending).rejects.toMatchObject({ code: 'interrupted' });
  });
});
