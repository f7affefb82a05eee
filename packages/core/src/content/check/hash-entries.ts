import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { collect } from '../../blob/bytes.ts';
import { createDigester } from '../../digest.ts';
import { IngotError, isIngotError } from '../../errors.ts';
import { packKey } from '../locator.ts';
import type { PackedEntry } from '../pack.ts';
import { checkEntry } from '../sweep/entry-stream.ts';
import { type BadEntries, type HashJob, hashProgram } from './hash-program.ts';

/** Checks the bytes of packs against the digests that their footers list. */
export interface EntryHasher extends AsyncDisposable {
  /**
   * Gives the entries of a pack whose bytes are not what they were. The pack is read once, front to back.
   * @throws IngotError as reading the store does, but not for bytes that are missing.
   */
  badEntries(pack: string, entries: readonly PackedEntry[], sizeBytes: number): Promise<readonly PackedEntry[]>;
}

/** Packs up to this size are handed to a thread whole where there is no file to read. */
const HANDED_BYTES = 32 * 1024 * 1024;

const PROGRAM = `
const { parentPort } = require('node:worker_threads');
const run = (${hashProgram.toString()})({ fs: require('node:fs'), crypto: require('node:crypto') });
parentPort.on('message', (job) => {
  try {
    parentPort.postMessage({ bad: run(job) });
  } catch (error) {
    parentPort.postMessage({ error: String(error && error.message || error), code: error && error.code });
  }
});
`;

/** Opens a hasher with so many threads; with none it hashes in this one. */
export function openEntryHasher(blobs: BlobStore, threads: number, options: BlobOptions = {}): EntryHasher {
  const hands = threads === 0 ? [directHand()] : Array.from({ length: threads }, () => threadHand());
  let next = 0;
  const run = (job: HashJob, give: readonly ArrayBuffer[]): Promise<BadEntries> => {
    next += 1;
    const idle = hands.reduce((best, hand, n) =>
      hand.waiting < best.waiting || (hand.waiting === best.waiting && n === next % hands.length) ? hand : best,
    );
    return idle.run(job, give);
  };
  return {
    badEntries: async (pack, entries, sizeBytes) => {
      const plain = entries.filter(({ coding }) => coding === undefined);
      const coded = entries.filter(({ coding }) => coding !== undefined);
      const path = await blobs.localPath?.(packKey(pack));
      if (path !== undefined) {
        const bad = await run({ path, ...jobOf(plain) }, []);
        return [...at(plain, bad), ...(await badCoded(blobs, pack, coded, options))];
      }
      if (sizeBytes > HANDED_BYTES) return badStreamed(blobs, pack, entries, options);
      const bytes = await collect(blobs.read(packKey(pack), options));
      const badOnes = coded.filter((entry) => !isRight(pack, entry, bytes.subarray(entry.offset, endOf(entry))));
      const own = Uint8Array.from(bytes);
      return [...at(plain, await run({ bytes: own, ...jobOf(plain) }, [own.buffer])), ...badOnes];
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(hands.map((hand) => hand.stop()));
    },
  };
}

function jobOf(entries: readonly PackedEntry[]): Pick<HashJob, 'offsets' | 'lengths' | 'digests'> {
  const digests = Buffer.alloc(entries.length * 32);
  for (const [n, { digest }] of entries.entries()) digests.write(digest.slice('sha256:'.length), n * 32, 'hex');
  return {
    offsets: Float64Array.from(entries, ({ offset }) => offset),
    lengths: Float64Array.from(entries, ({ length }) => length),
    digests: Uint8Array.from(digests),
  };
}

function at(entries: readonly PackedEntry[], places: BadEntries): PackedEntry[] {
  return places.flatMap((place) => entries[place] ?? []);
}

function endOf({ offset, length }: PackedEntry): number {
  return offset + length;
}

function isRight(pack: string, entry: PackedEntry, stored: Uint8Array): boolean {
  try {
    checkEntry(pack, entry, stored);
    return stored.byteLength === entry.length;
  } catch (error) {
    if (isIngotError(error, 'integrity')) return false;
    throw error;
  }
}

async function badCoded(blobs: BlobStore, pack: string, entries: readonly PackedEntry[], options: BlobOptions) {
  const bad: PackedEntry[] = [];
  for (const entry of entries) {
    const stored = await bytesOf(blobs, pack, entry, options);
    if (stored === undefined || !isRight(pack, entry, stored)) bad.push(entry);
  }
  return bad;
}

/** The bytes of one entry as they lie in its pack; undefined when they are not all there. */
export async function bytesOf(
  blobs: Pick<BlobStore, 'read'>,
  pack: string,
  { offset, length }: Pick<PackedEntry, 'offset' | 'length'>,
  options: BlobOptions,
): Promise<Buffer | undefined> {
  try {
    return await collect(blobs.read(packKey(pack), { ...options, range: { start: offset, end: offset + length } }));
  } catch (error) {
    if (isIngotError(error, 'integrity', 'content-not-found')) return undefined;
    throw error;
  }
}

/** Large packs that are no files stream through this thread: the network is slower than hashing. */
async function badStreamed(blobs: BlobStore, pack: string, entries: readonly PackedEntry[], options: BlobOptions) {
  const bad: PackedEntry[] = [];
  for (const entry of entries) {
    if (entry.coding !== undefined) bad.push(...(await badCoded(blobs, pack, [entry], options)));
    else if (!(await isRightStreamed(blobs, pack, entry, options))) bad.push(entry);
  }
  return bad;
}

async function isRightStreamed(blobs: BlobStore, pack: string, entry: PackedEntry, options: BlobOptions) {
  const digester = createDigester();
  try {
    const range = { start: entry.offset, end: endOf(entry) };
    for await (const bytes of blobs.read(packKey(pack), { ...options, range })) digester.update(bytes);
    return digester.finish() === entry.digest;
  } catch (error) {
    if (isIngotError(error, 'integrity', 'content-not-found')) return false;
    throw error;
  }
}

interface Hand {
  readonly waiting: number;
  run(job: HashJob, give: readonly ArrayBuffer[]): Promise<BadEntries>;
  stop(): Promise<void>;
}

function directHand(): Hand {
  const run = hashProgram({ fs, crypto });
  return { waiting: 0, run: async (job) => run(job), stop: async () => {} };
}

function failureOf({ error, code }: { readonly error?: string; readonly code?: string }): IngotError {
  const isGone = code === 'ENOENT';
  return new IngotError(isGone ? 'content-not-found' : 'unavailable', `a pack could not be read: ${error}`);
}

interface Waiting {
  readonly done: (bad: BadEntries) => void;
  readonly failed: (error: unknown) => void;
}

function threadHand(): Hand {
  const worker = new Worker(PROGRAM, { eval: true });
  const waiting: Waiting[] = [];
  worker.on('message', (answer: { readonly bad?: BadEntries; readonly error?: string; readonly code?: string }) => {
    const first = waiting.shift();
    if (answer.bad !== undefined) first?.done(answer.bad);
    else first?.failed(failureOf(answer));
  });
  worker.on('error', (error) => {
    for (const { failed } of waiting.splice(0)) failed(error);
  });
  worker.unref();
  return {
    get waiting() {
      return waiting.length;
    },
    run: (job, give) =>
      new Promise((done, failed) => {
        waiting.push({ done, failed });
        worker.ref();
        worker.postMessage(job, [...give]);
      }),
    stop: async () => {
      await worker.terminate();
    },
  };
}
