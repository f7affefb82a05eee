import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { BlobBody, BlobStore } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';
import { type BlobStoreCase, bodySaying, failsWith, keysOf } from './case.ts';

/** Larger than any part in which the suites let a backend send a body (8 MiB at most), and no multiple of one. */
const LARGE_BYTES = 24 * 1024 * 1024 + 4_109;

/** Bodies that a backend sends in parts. */
export const LARGE_CASES: readonly BlobStoreCase[] = [
  {
    name: 'a large body in pieces of any size arrives whole, and ranges across its parts read back',
    run: async (subject) => {
      const store = await subject.open();
      const bytes = pattern(LARGE_BYTES, 1);
      assert.equal(await store.write('large', piecesOf(bytes)), 'created');
      assert.equal((await store.stat('large'))?.sizeBytes, LARGE_BYTES);
      assert.equal(digestOf(await collect(store.read('large'))), digestOf(bytes));
      for (const start of [5 * 1024 * 1024 - 1, 8 * 1024 * 1024 - 1, 16 * 1024 * 1024 - 1, LARGE_BYTES - 10]) {
        const range = { start, end: Math.min(start + 70_000, LARGE_BYTES) };
        assert.ok((await collect(store.read('large', { range }))).equals(bytes.subarray(range.start, range.end)));
      }
    },
  },
  {
    name: 'a large body to a key that is taken says exists and leaves the first bytes alone',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('large', bodyOf('first'));
      assert.equal(await store.write('large', piecesOf(pattern(LARGE_BYTES, 2))), 'exists');
      assert.equal(String(await collect(store.read('large'))), 'first');
      assert.deepEqual(await keysOf(store, ''), ['large']);
    },
  },
  {
    name: 'of three writers of one large body exactly one creates it, all read its bytes, and nothing else stays',
    run: async (subject) => {
      const clients = await Promise.all(Array.from({ length: 3 }, () => subject.open()));
      const bodies = clients.map((_, n) => pattern(LARGE_BYTES, n + 3));
      const results = await Promise.all(
        clients.map((client, n) => client.write('raced', piecesOf(bodyNumber(bodies, n)))),
      );
      assert.equal(results.filter((result) => result === 'created').length, 1, String(results));
      const winner = digestOf(bodyNumber(bodies, results.indexOf('created')));
      for (const client of clients) assert.equal(digestOf(await collect(client.read('raced'))), winner);
      assert.deepEqual(await keysOf(firstOf(clients), ''), ['raced']);
    },
  },
  {
    name: 'a large body that fails, ends early, goes on too long or is interrupted leaves nothing',
    run: async (subject) => {
      const store = await subject.open();
      const failure = new Error('the source went away');
      const chunk = Buffer.alloc(1_000_000, 9);
      await assert.rejects(store.write('torn', failingBody(LARGE_BYTES, chunk, failure)), (error) => error === failure);
      const short = Array.from({ length: 23 }, () => chunk);
      await failsWith(() => store.write('short', bodySaying(LARGE_BYTES, short)), 'integrity');
      const long = Array.from({ length: 27 }, () => chunk);
      await failsWith(() => store.write('long', bodySaying(LARGE_BYTES, long)), 'integrity');
      await failsWith(() => interrupted(store, chunk), 'interrupted');
      assert.deepEqual(await keysOf(store, ''), []);
      for (const key of ['torn', 'short', 'long', 'stopped']) assert.equal(await store.stat(key), undefined, key);
      assert.equal(await store.write('stopped', piecesOf(pattern(LARGE_BYTES, 7))), 'created');
    },
  },
  {
    name: 'bodies in memory that threads share arrive as they are, small ones and large ones',
    run: async (subject) => {
      const store = await subject.open();
      const bytes = Buffer.from(new SharedArrayBuffer(LARGE_BYTES));
      bytes.set(pattern(LARGE_BYTES, 8));
      for (const sizeBytes of [1000, 3_000_000, LARGE_BYTES]) {
        const some = bytes.subarray(0, sizeBytes);
        for (const [key, body] of [
          [`shared-${sizeBytes}`, bodyOf(some)],
          [`shared-${sizeBytes}-pieces`, piecesOf(some)],
        ] as const) {
          assert.equal(await store.write(key, body), 'created');
          assert.equal(digestOf(await collect(store.read(key))), digestOf(some), key);
        }
      }
    },
  },
];

async function interrupted(store: BlobStore, chunk: Buffer): Promise<unknown> {
  const controller = new AbortController();
  const body: BlobBody = {
    sizeBytes: LARGE_BYTES,
    open: async function* () {
      for (let sent = 0; sent < LARGE_BYTES; sent += chunk.byteLength) {
        if (sent > LARGE_BYTES * 0.7) controller.abort();
        yield chunk.subarray(0, Math.min(chunk.byteLength, LARGE_BYTES - sent));
      }
    },
  };
  return store.write('stopped', body, { signal: controller.signal });
}

function failingBody(sizeBytes: number, chunk: Buffer, failure: Error): BlobBody {
  return {
    sizeBytes,
    open: async function* () {
      for (let n = 0; n < 20; n += 1) yield chunk;
      throw failure;
    },
  };
}

/** Cuts bytes into pieces of 1 byte to 1 MiB. */
function piecesOf(bytes: Buffer): BlobBody {
  const sizes = [1, 65_536, 7, 1_048_576, 300_001, 131_072, 999_983];
  return {
    sizeBytes: bytes.byteLength,
    open: async function* () {
      for (let at = 0, n = 0; at < bytes.byteLength; n += 1) {
        const size = sizes[n % sizes.length] ?? 1;
        yield bytes.subarray(at, at + size);
        at += size;
      }
    },
  };
}

/** Bytes that differ from one place and one seed to the next. */
function pattern(sizeBytes: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let n = 0; n < words.length; n += 1) words[n] = Math.imul(n + 1, 2_654_435_761) ^ (seed * 40_503);
  return Buffer.from(words.buffer, 0, sizeBytes);
}

function bodyNumber(bodies: readonly Buffer[], n: number): Buffer {
  const body = bodies[n];
  assert.ok(body);
  return body;
}

function firstOf(clients: readonly BlobStore[]): BlobStore {
  const [first] = clients;
  assert.ok(first);
  return first;
}

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
