import assert from 'node:assert/strict';
import type { ErrorCode } from '../../errors.ts';
import { IngotError } from '../../errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';
import { keysOf } from './case.ts';
import type { BlobStoreFaultCase, BlobStoreFaultSubject, FaultyLine, LineFault } from './fault-case.ts';

const SIZE = 4 * 1024 * 1024 + 17;
/** Tells the patience of a second, or none, from the usual half minute, on any machine. */
const FAR_BELOW_USUAL_MS = 20_000;
const LARGE = 24 * 1024 * 1024 + 4_109;

/** Accounts and places that are wrong, storages that are away. */
const ACCESS_CASES: readonly BlobStoreFaultCase[] = [
  {
    name: 'wrong credentials are forbidden in every operation, with what to set',
    needs: 'openWithWrongCredentials',
    run: async ({ openWithWrongCredentials }) => {
      assert.ok(openWithWrongCredentials);
      const store = await openWithWrongCredentials();
      for (const operation of operationsOf(store)) assert.ok((await failure(operation, 'forbidden')).hint);
    },
  },
  {
    name: 'a place that does not exist is told from an empty one by every operation, with what to do',
    needs: 'openMissingPlace',
    run: async ({ openMissingPlace }) => {
      assert.ok(openMissingPlace);
      for (const index of [0, 1, 2, 3]) {
        const operation = operationsOf(await openMissingPlace())[index];
        assert.ok(operation);
        assert.ok((await failure(operation, 'store-not-found')).hint);
      }
    },
  },
  {
    name: 'a storage that is down is unavailable, and worth a retry',
    run: async (subject) => {
      const store = await subject.openWhereNobodyListens();
      for (const operation of operationsOf(store)) assert.ok((await failure(operation, 'unavailable')).retryable);
    },
  },
];

/** Lines that break while something is on its way. */
const READING_CASES: readonly BlobStoreFaultCase[] = [
  ...(['end', 'reset'] as const).map((how) => ({
    name: `a read cut half-way by ${how === 'end' ? 'an early end' : 'a reset'} is unavailable and never a short stream`,
    run: (subject: BlobStoreFaultSubject) =>
      readThrough(subject, { kind: 'cut', direction: 'down', afterBytes: 1_000_000, how }),
  })),
  {
    name: 'a read that stalls half-way is unavailable soon, and never a short stream',
    run: (subject) => readThrough(subject, { kind: 'stall', direction: 'down', afterBytes: 1_000_000 }),
  },
  {
    name: 'a listing that is cut or stalls is unavailable and never looks complete',
    run: async (subject) => {
      const direct = await subject.open();
      const keys = Array.from({ length: 120 }, (_, n) => `entries/${String(n).padStart(6, '0')}`);
      await Promise.all(keys.map((key) => repeated(() => direct.write(key, bodyOf('x')))));
      await withLine(subject, async (line, store) => {
        for (const fault of [
          { kind: 'cut', direction: 'down', afterBytes: 2_000, how: 'end' },
          { kind: 'cut', direction: 'down', afterBytes: 2_000, how: 'reset' },
          { kind: 'stall', direction: 'down', afterBytes: 2_000 },
        ] as const) {
          line.set(fault);
          await failure(() => keysOf(store, 'entries/'), 'unavailable');
          line.set({ kind: 'none' });
          assert.deepEqual(await repeated(() => keysOf(store, 'entries/')), keys);
        }
      });
    },
  },
  {
    name: 'a storage that accepts and never answers is unavailable soon, in every operation',
    run: (subject) =>
      withLine(subject, async (line, store) => {
        line.set({ kind: 'stall', direction: 'down', afterBytes: 0 });
        const started = performance.now();
        await Promise.all(operationsOf(store).map((operation) => failure(operation, 'unavailable')));
        assert.ok(performance.now() - started < FAR_BELOW_USUAL_MS, 'it waited as long as users do');
      }),
  },
  {
    name: 'a slow line only takes longer',
    run: (subject) =>
      withLine(subject, async (line) => {
        line.set({ kind: 'slow', sliceBytes: 100_000, pauseMs: 5 });
        const store = await line.openPatient();
        const bytes = pattern(SIZE);
        assert.equal(await store.write('slow', bodyOf(bytes)), 'created');
        assert.ok((await collect(store.read('slow'))).equals(bytes));
      }),
  },
  {
    name: 'the signal ends what waits for a silent storage at once',
    run: (subject) =>
      withLine(subject, async (line) => {
        line.set({ kind: 'stall', direction: 'down', afterBytes: 0 });
        const store = await line.openPatient();
        const controller = new AbortController();
        const { signal } = controller;
        const waiting = operationsOf(store, signal).map((operation) => failure(operation, 'interrupted'));
        const started = performance.now();
        setTimeout(() => controller.abort(), 50);
        await Promise.all(waiting);
        assert.ok(performance.now() - started < FAR_BELOW_USUAL_MS, 'the signal had to wait');
      }),
  },
  {
    name: 'the signal ends a read that hangs half-way at once',
    run: async (subject) => {
      await (await subject.open()).write('blob', bodyOf(pattern(SIZE)));
      await withLine(subject, async (line, store) => {
        line.set({ kind: 'stall', direction: 'down', afterBytes: 1_000_000 });
        const controller = new AbortController();
        const { signal } = controller;
        await failure(async () => {
          for await (const _ of store.read('blob', { signal })) setTimeout(() => controller.abort(), 20);
        }, 'interrupted');
      });
    },
  },
];

const UPLOADS: readonly LineFault[] = [
  { kind: 'cut', direction: 'up', afterBytes: 1_500_000, how: 'end' },
  { kind: 'cut', direction: 'up', afterBytes: 1_500_000, how: 'reset' },
  { kind: 'stall', direction: 'up', afterBytes: 1_500_000 },
];

const WRITING_CASES: readonly BlobStoreFaultCase[] = [
  ...[SIZE, LARGE].map((sizeBytes) => ({
    name: `a write of ${sizeBytes} bytes that is cut or stalls half-way is unavailable, shows nothing, and can be repeated`,
    run: async (subject: BlobStoreFaultSubject) => {
      const direct = await subject.open();
      const bytes = pattern(sizeBytes);
      await withLine(subject, async (line, store) => {
        for (const [n, fault] of UPLOADS.entries()) {
          line.set(fault);
          await failure(() => store.write(`blob-${n}`, bodyOf(bytes)), 'unavailable');
          assert.equal(await direct.stat(`blob-${n}`), undefined);
          assert.deepEqual((await keysOf(direct, '')).length, n);
          line.set({ kind: 'none' });
          await repeated(() => store.write(`blob-${n}`, bodyOf(bytes)));
          assert.ok((await collect(direct.read(`blob-${n}`))).equals(bytes));
        }
      });
    },
  })),
  {
    name: 'a write whose answer is lost is unavailable, and the blob is whole or not there',
    run: async (subject) => {
      const direct = await subject.open();
      const bytes = pattern(SIZE);
      await withLine(subject, async (line, store) => {
        line.set({ kind: 'cut', direction: 'down', afterBytes: 0, how: 'reset' });
        await failure(() => store.write('blob', bodyOf(bytes)), 'unavailable');
        line.set({ kind: 'none' });
        const there = await direct.stat('blob');
        if (there !== undefined) assert.ok((await collect(direct.read('blob'))).equals(bytes));
        const again = await repeated(() => store.write('blob', bodyOf(bytes)));
        if (there !== undefined) assert.equal(again, 'exists');
        assert.ok((await collect(direct.read('blob'))).equals(bytes));
      });
    },
  },
];

/** What every blob store over a network must do when the storage, the account or the line is at fault. */
export const FAULT_CASES: readonly BlobStoreFaultCase[] = [...ACCESS_CASES, ...READING_CASES, ...WRITING_CASES];

async function readThrough(subject: BlobStoreFaultSubject, fault: LineFault): Promise<void> {
  const bytes = pattern(SIZE);
  await (await subject.open()).write('blob', bodyOf(bytes));
  await withLine(subject, async (line, store) => {
    for (const range of [undefined, { start: 100_000 }]) {
      line.set(fault);
      const received: Uint8Array[] = [];
      const error = await failure(async () => {
        for await (const piece of store.read('blob', range ? { range } : {})) received.push(piece);
      }, 'unavailable');
      assert.ok(error.retryable);
      const start = range?.start ?? 0;
      const got = Buffer.concat(received);
      assert.ok(got.byteLength < SIZE - start && got.equals(bytes.subarray(start, start + got.byteLength)));
      line.set({ kind: 'none' });
      assert.ok((await repeated(() => collect(store.read('blob')))).equals(bytes));
    }
  });
}

/**
 * The outcome of what has to succeed. A server that ends an idle connection just when it is used again, or that a busy
 * machine keeps silent for a second, is not what is tried: that is worth a retry, as users would.
 */
async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof IngotError && error.retryable) || attempt === 3) throw error;
    }
  }
}

async function withLine(
  subject: BlobStoreFaultSubject,
  work: (line: FaultyLine, store: BlobStore) => Promise<void>,
): Promise<void> {
  const line = await subject.line();
  try {
    await work(line, await line.open());
  } finally {
    await line.close();
  }
}

/** Reading, listing, writing and looking, each as a piece of work. */
function operationsOf(store: BlobStore, signal?: AbortSignal): (() => Promise<unknown>)[] {
  const options = signal === undefined ? {} : { signal };
  return [
    () => collect(store.read('blob', options)),
    async () => {
      for await (const _ of store.list('', options));
    },
    () => store.write('other', bodyOf('x'), options),
    () => store.stat('blob', options),
  ];
}

async function failure(work: () => Promise<unknown>, code: ErrorCode): Promise<IngotError> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof IngotError && error.code === code, `expected ${code}, got ${described(error)}`);
    return error;
  }
  return assert.fail(`expected ${code}, but nothing failed`);
}

const described = (error: unknown) => (error instanceof IngotError ? `${error.code}: ${error.message}` : String(error));

function pattern(sizeBytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let n = 0; n < words.length; n += 1) words[n] = Math.imul(n + 1, 2_654_435_761);
  return Buffer.from(words.buffer, 0, sizeBytes);
}
