/**
 * Contents are bytes named by their SHA-256. They lie in *packs*; a *recipe* says which pieces of which packs rebuild
 * a package, in *pages* of about 256 pieces. An *upload* is one push: contents in, recipe out.
 */

import type { Digest } from '../digest.ts';
import type { OnProgress } from '../progress.ts';

/** Where some bytes lie: a range of a pack. `pack` is its key without `packs/` and `.pack` (`<upload id>/<n>`). */
export interface Locator {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
}

/** Names a recipe: the digest of its JSON and where that lies. Events carry this. */
export interface RecipeRef extends Locator {
  readonly digest: Digest;
}

/** What a content is for. Only `file` has a path. */
export type ContentRole = 'file' | 'manifest' | 'config' | 'captured';

/** A content as a recipe lists it. */
export interface RecipeContent {
  readonly role: ContentRole;
  /** Path in the package, POSIX, relative; for role `file`. */
  readonly path?: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** How many pieces rebuild it. One for now; none for an empty content. */
  readonly chunks: number;
}

/** A page of a recipe: where it lies, its digest, and how many pieces it lists. */
export interface PageRef extends Locator {
  readonly digest: Digest;
  readonly pieces: number;
}

/** A recipe that was read and checked against its digest. Its pages, one after another, list the pieces of all contents in order. */
export interface Recipe {
  readonly ref: RecipeRef;
  readonly contents: readonly RecipeContent[];
  readonly pages: readonly PageRef[];
  /** All packs it relies on. */
  readonly packs: readonly string[];
}

/** A content that is to be stored; opened again for every attempt. */
export interface ContentBody {
  readonly role: ContentRole;
  readonly path?: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
}

/** Options of long content operations. */
export interface ContentOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Reads contents, verified. */
export interface ContentReader {
  /** Reads a recipe. Throws `content-not-found`, `integrity`. */
  openRecipe(ref: RecipeRef, options?: ContentOptions): Promise<Recipe>;
  /**
   * Streams one content of a recipe, verified piece by piece and at its end.
   * @throws IngotError `content-not-found` (the recipe has no such content, or its pack is gone), `integrity` naming the content.
   */
  read(recipe: Recipe, digest: Digest, options?: ContentOptions): AsyncIterable<Uint8Array>;
}

/** What sealing an upload gives. */
export interface SealedUpload {
  readonly recipe: RecipeRef;
  /** Bytes of contents written now, and bytes that were there already. */
  readonly newBytes: number;
  readonly storedBytes: number;
}

/**
 * One push in flight. `put` decides what must be written; `seal` writes packs, then the upload root, then checks what a
 * collection has condemned; `release` removes the root and is called after the event stands. Disposing an unreleased
 * upload leaves only unreferenced packs, and none at all when it was not sealed.
 */
export interface Upload extends AsyncDisposable {
  readonly id: string;
  /** Adds a content; `stored` when an earlier version of the model, or this upload, has it already, so that nothing more is written. */
  put(content: ContentBody, options?: ContentOptions): Promise<'new' | 'stored'>;
  /**
   * Writes everything that is missing, verified while it flows.
   * @throws IngotError `source-changed` when a body gives other bytes than its digest says, naming the path.
   */
  seal(options?: ContentOptions): Promise<SealedUpload>;
  release(): Promise<void>;
}

/** What a new upload may rely on. */
export interface UploadOptions extends ContentOptions {
  /** The model's id, for the upload root. `model-created` must stand already. */
  readonly modelId: string;
  /** Recipes of the model's newest versions, newest first: their contents need not be written again. */
  readonly base?: readonly RecipeRef[];
}

/** Reads contents and takes new ones. */
export interface ContentStore extends ContentReader {
  openUpload(options: UploadOptions): Promise<Upload>;
}
