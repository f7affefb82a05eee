/**
 * Contents over any blob store. Written in the order packs, upload root, a look at what collections have condemned;
 * read and checked piece by piece. A crash at any point leaves packs that nothing names, never a name without bytes.
 */

import { randomBytes } from 'node:crypto';
import type { BlobStore } from '../blob/blob-store.ts';
import { BaseContents } from './base-contents.ts';
import { isIngotError } from '../errors.ts';
import { BlobUpload, type UploadPace } from './blob-upload.ts';
import { CHUNKER, type ChunkerParameters, parseChunker } from './chunker.ts';
import type { Coding } from './coding.ts';
import type { ContentStore } from './content-store.ts';
import { RecipeReader } from './recipe-reader.ts';
import { FormatOnce } from './store-format.ts';
import type { FindPieces } from './upload-placer.ts';
import { UploadJournals } from './upload-journal.ts';
import { restoreContents } from './restore.ts';

/** Options of {@link createBlobContentStore}. */
export interface BlobContentStoreOptions {
  /** A pack is closed before the pieces in it grow past this. Default: 8 MiB on a local disk, 4 MiB elsewhere. */
  readonly packBytes?: number;
  /** Where contents are cut. Default: where the store says (`chunker` of `ingot.json`). */
  readonly chunker?: ChunkerParameters;
  /** What was read of the store's format, for those who share it. Default: the first upload reads it. */
  readonly format?: FormatOnce;
  /** How pieces are coded where that makes them smaller. Default: not at all. */
  readonly coding?: Coding;
  /** Says where pieces lie that the model's newest versions do not have. Default: they are stored anew. */
  readonly findPieces?: FindPieces;
  /** Directory where it is noted what an upload has written, so that one that was cut short can be resumed. Default: it cannot. */
  readonly journals?: string;
  /** Default: the system clock. */
  readonly now?: () => Date;
  /** Names uploads; must never repeat. Default: 16 random bytes as hex. */
  readonly randomId?: () => string;
}

/**
 * Makes a content store over a blob store that `openStore` or `createStore` has opened.
 *
 * @example
 * await using upload = await contents.openUpload({ modelId: 'churn-0a1b2c3d', base: [] });
 * const { digest, newBytes } = await upload.put({ role: 'file', path: 'model.pkl', sizeBytes, open });
 * const { recipe } = await upload.seal();
 * // … publish the version with its recipe, then:
 * await upload.release();
 */
export function createBlobContentStore(blobs: BlobStore, options: BlobContentStoreOptions = {}): ContentStore {
  const reader = new RecipeReader(blobs);
  const pace = blobs.capabilities.localFiles ? LOCAL : REMOTE;
  const packBytes = options.packBytes ?? pace.packBytes;
  const parameters = async () => options.chunker ?? (await chunkerOf(options.format ?? new FormatOnce(blobs)));
  const now = options.now ?? (() => new Date());
  const randomId = options.randomId ?? (() => randomBytes(16).toString('hex'));
  const journals = options.journals === undefined ? undefined : new UploadJournals(options.journals, now);
  return {
    openRecipe: (ref, callOptions) => reader.openRecipe(ref, callOptions),
    read: (recipe, digest, callOptions) => reader.read(recipe, digest, callOptions),
    restore: (recipe, targets, callOptions) => restoreContents(blobs, recipe, targets, callOptions),
    openUpload: async ({ base = [], signal, ...purpose }) =>
      new BlobUpload({
        blobs,
        id: randomId(),
        purpose,
        base: () => BaseContents.open(reader, base, signal ? { signal } : {}),
        pace: { ...pace, packBytes, ...(options.coding !== undefined && codedAhead(pace)) },
        parameters,
        coding: options.coding !== undefined,
        findPieces: options.findPieces,
        journals,
        now,
        signal,
      }),
  };
}

const MIB = 1024 * 1024;

/** A disk takes what it gets: two packs at once keep it busy. */
const LOCAL: UploadPace = { packBytes: 8 * MIB, writesAtOnce: 2, blocks: 24, readAhead: 24 };

/** On a late line what counts is how much is under way, and on how many connections: one carries a window a round trip. */
const REMOTE: UploadPace = { packBytes: 4 * MIB, writesAtOnce: 7, blocks: 32, readAhead: 8 };

/** Coded pieces take memory beside the blocks that they were in until they are in a pack, and there is more to do for each. */
function codedAhead({ readAhead }: UploadPace): Pick<UploadPace, 'readAhead'> {
  return { readAhead: Math.min(readAhead, 3) };
}

/** What the store says; a store that is damaged there is written as new ones are. */
async function chunkerOf(format: FormatOnce): Promise<ChunkerParameters> {
  try {
    return parseChunker((await format.open()).chunker);
  } catch (error) {
    if (isIngotError(error, 'store-not-found', 'integrity')) return CHUNKER;
    throw error;
  }
}
