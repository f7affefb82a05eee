import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import { type Database, openDatabase } from '../../database/database.ts';
import { type ArtifactContext, openArtifactContext } from '../artifact-context.ts';

/** What a test of this room works with. */
export interface ServedArtifacts {
  readonly context: ArtifactContext;
  readonly blobs: BlobStore;
  /** Sets what the clock says. */
  setTime(iso: string): void;
}

/** A database that tests of one file share: making its tables takes longer than a test. */
export interface ArtifactTests extends AsyncDisposable {
  /** Begins a test: an empty store in memory, empty tables, noon of a day. */
  begin(): Promise<ServedArtifacts>;
}

const TABLES = [
  'artifact_nodes',
  'artifact_staged',
  'artifact_holdings',
  'artifact_packages',
  'artifact_uploads',
  'artifact_parts',
] as const;

/** Opens a database in a folder of its own. */
export async function openArtifactTests(): Promise<ArtifactTests> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-artifacts-'));
  const database = await openDatabase({ directory });
  return {
    begin: async () => {
      for (const table of TABLES) await database.own.deleteFrom(table).execute();
      return await serve(database, join(directory, 'scratch'));
    },
    [Symbol.asyncDispose]: async () => {
      await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function serve(database: Database, scratch: string): Promise<ServedArtifacts> {
  const blobs = createMemoryBlobStore();
  const format = new FormatOnce(blobs);
  let time = new Date('2026-11-21T12:00:00.000Z');
  const services = {
    store: { address: 'memory', blobs, format, contents: createBlobContentStore(blobs, { format }) },
    database,
    log: () => {},
    now: () => time,
    random: randomBytes,
  };
  return {
    context: await openArtifactContext(services, scratch),
    blobs,
    setTime: (iso) => {
      time = new Date(iso);
    },
  };
}

/** A body of one piece. */
export async function* bodyOf(bytes: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
}

/** Bytes that do not compress and are the same for the same seed. */
export function noise(size: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let at = 0; at < words.length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[at] = state ^ (state >>> 15);
  }
  return new Uint8Array(words.buffer, 0, size);
}
