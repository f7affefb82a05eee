/**
 * Contents over any blob store. Written in the order packs, upload root, a look at what collections have condemned;
 * read and checked piece by piece. A crash at any point leaves packs that nothing names, never a name without bytes.
 */

import { randomBytes } from 'node:crypto';
import type { BlobStore } from '../blob/blob-store.ts';
import { BaseContents } from './base-contents.ts';
import { BlobUpload } from './blob-upload.ts';
import type { ContentStore } from './content-store.ts';
import { RecipeReader } from './recipe-reader.ts';
import { restoreContents } from './restore.ts';

/** Options of {@link createBlobContentStore}. */
export interface BlobContentStoreOptions {
  /** A pack is closed before it grows past this; a larger file lies alone in one. Default: 512 MiB. */
  readonly packBytes?: number;
  /** Default: the system clock. */
  readonly now?: () => Date;
  /** Names uploads; must never repeat. Default: 16 random bytes as hex. */
  readonly randomId?: () => string;
}

/**
 * Makes a content store over a blob store that {@link openStore} or {@link createStore} has opened.
 *
 * @example
 * await using upload = await contents.openUpload({ modelId: 'churn-0a1b2c3d', base: [] });
 * await upload.put({ role: 'file', path: 'model.pkl', digest, sizeBytes, open });
 * const { recipe } = await upload.seal();
 * // … publish the version with its recipe, then:
 * await upload.release();
 */
export function createBlobContentStore(blobs: BlobStore, options: BlobContentStoreOptions = {}): ContentStore {
  const reader = new RecipeReader(blobs);
  const packBytes = options.packBytes ?? 512 * 1024 * 1024;
  const now = options.now ?? (() => new Date());
  const randomId = options.randomId ?? (() => randomBytes(16).toString('hex'));
  return {
    openRecipe: (ref, callOptions) => reader.openRecipe(ref, callOptions),
    read: (recipe, digest, callOptions) => reader.read(recipe, digest, callOptions),
    restore: (recipe, targets, callOptions) => restoreContents(blobs, recipe, targets, callOptions),
    openUpload: async ({ modelId, base, signal }) => {
      const contents = await BaseContents.open(reader, base ?? [], signal ? { signal } : {});
      return new BlobUpload({ blobs, id: randomId(), modelId, base: contents, packBytes, now });
    },
  };
}
