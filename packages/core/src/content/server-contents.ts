import type { ServerBlobs } from '../blob/server.ts';
import { isDigest } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import { isJsonObject } from '../json.ts';
import { type BlobContentStoreOptions, createBlobContentStore } from './blob-content-store.ts';
import type { ContentStore } from './content-store.ts';
import { isPackId } from './locator.ts';
import type { Piece } from './recipe.ts';
import type { FindPieces } from './upload-placer.ts';

/** A request asks about no more digests. */
const ASKED_AT_ONCE = 512;

/**
 * Makes a content store behind a registry server: cut, hashed and packed here; the server is asked which pieces it has
 * of what is about to be packed, and only the others are sent.
 *
 * @example
 * const contents = createServerContentStore(await openServerBlobStore('https://models.example.com', { env }));
 */
export function createServerContentStore(
  blobs: ServerBlobs,
  options: Omit<BlobContentStoreOptions, 'findPieces'> = {},
): ContentStore {
  const contents = createBlobContentStore(blobs, { ...options, findPieces: findPiecesAt(blobs) });
  return {
    ...contents,
    openUpload: async (given) => {
      // A server lets nobody upload who has no model to push to; so the model comes first here.
      if (given.modelId === undefined || typeof given.modelId === 'string') return await contents.openUpload(given);
      const modelId = await given.modelId();
      return await contents.openUpload({ ...given, modelId });
    },
  };
}

function findPiecesAt(blobs: ServerBlobs): FindPieces {
  return async (digests) => {
    const found: Piece[] = [];
    for (let at = 0; at < digests.length; at += ASKED_AT_ONCE)
      found.push(...(await asked(blobs, digests.slice(at, at + ASKED_AT_ONCE))));
    return found;
  };
}

// Not knowing what the server has costs bytes, never correctness.
async function asked(blobs: ServerBlobs, digests: readonly string[]): Promise<readonly Piece[]> {
  try {
    const { pieces } = await blobs.ask('pieces', { digests }, undefined);
    return Array.isArray(pieces) ? pieces.flatMap(pieceOf) : [];
  } catch (error) {
    if (isIngotError(error)) return [];
    throw error;
  }
}

function pieceOf(value: unknown): readonly Piece[] {
  if (!isJsonObject(value)) return [];
  const { digest, pack, offset, length, coding, sizeBytes } = value;
  if (typeof digest !== 'string' || !isDigest(digest) || typeof pack !== 'string' || !isPackId(pack)) return [];
  if (!isCount(offset) || !isCount(length)) return [];
  if (coding === undefined) return [{ digest, pack, offset, length }];
  return typeof coding === 'string' && isCount(sizeBytes) ? [{ digest, pack, offset, length, coding, sizeBytes }] : [];
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
