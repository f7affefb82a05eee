/**
 * Contents are bytes named by their SHA-256. They lie in *packs*; a *recipe* says which chunks of which packs rebuild
 * a package, in *pages* of about 128 chunks. An *upload* is one push: contents in, recipe out.
 */

import type { Digest } from '../digest.ts';
import type { OnProgress } from '../progress.ts';
import type { RestoreOptions, RestoreResult, RestoreTarget } from './restore.ts';

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

/**
 * What a content is for. `file` has a path, and `wheel` its file name. `wheel` is a Python package to make the environment
 * with where there is no index; `history` is the model's log in the registry that the version came from.
 */
export type ContentRole = 'file' | 'manifest' | 'config' | 'captured' | 'wheel' | 'history';

/** A content as a recipe lists it. */
export interface RecipeContent {
  readonly role: ContentRole;
  /** Path in the package, POSIX, relative; for role `file`. Name of the file; for role `wheel`. */
  readonly path?: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** How many pieces rebuild it; none for an empty content. */
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

/** Reads a content forward into buffers of the caller's, one read at a time. */
export interface BlockReader {
  /** Reads the next bytes into the buffer and says how many; 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  /** Ends reading. Throws `source-changed` when everything was read and it is not what it was. */
  close(): Promise<void>;
}

/** Reads a content of which nobody knows before how long it is. */
export interface EndingReader extends BlockReader {
  /** Whether everything was read; known with the last bytes, as long as there are some. */
  readonly ended: boolean;
}

/** A content that is to be stored; opened again for every attempt. */
export interface ContentBody {
  readonly role: ContentRole;
  readonly path?: string;
  /** How many bytes it gives; another number is `source-changed`. */
  readonly sizeBytes: number;
  /** It gives as many bytes as come, and `sizeBytes` is only what is expected: for a body whose sender does not say. Default: false. */
  readonly openEnded?: boolean;
  /**
   * Contents of the base that it consists of, one after another: where all of them are there it is listed without being
   * read, and `digest`, which must be given, is taken at its word. Default: none.
   */
  readonly joined?: readonly Digest[];
  /** What its bytes must be; others are `source-changed`. Default: whatever they are. */
  readonly digest?: Digest;
  /** What its bytes were when they were read last: it is not opened when an earlier version has them. */
  readonly remembered?: Digest;
  open(): AsyncIterable<Uint8Array>;
  /**
   * Opens it for reading into the caller's buffers, which spares a copy; one that is `openEnded` with an
   * {@link EndingReader}. Default: what {@link open} gives is copied.
   */
  openBlocks?(): Promise<BlockReader | EndingReader>;
  /** Reads all of it into a buffer of `sizeBytes` without waiting; for files of a few KiB, of which there may be thousands. */
  readNow?(into: Uint8Array): void;
  /** Sees all bytes in order while they are stored, so that a digest over many files, or a scan, costs no other reading. Keeps none of them. */
  onBytes?(bytes: Uint8Array): void;
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
   * Streams one content of a recipe, or a range of it, verified piece by piece and at its end.
   * @throws IngotError `content-not-found` (the recipe has no such content, or its pack is gone), `integrity` naming the content.
   */
  read(recipe: Recipe, digest: Digest, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /**
   * Makes files of contents, many at once, verified and not yet durable. Default: they are read one after another.
   * @throws IngotError as `read` does; the system's own errors of writing.
   */
  restore?(recipe: Recipe, targets: readonly RestoreTarget[], options?: RestoreOptions): Promise<RestoreResult>;
}

/** What became of a content that was put into an upload. */
export interface PutResult {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Bytes of it that had to be written, and bytes that were there already. */
  readonly newBytes: number;
  readonly storedBytes: number;
}

/** What sealing an upload gives. Bytes are those of contents, before coding, unless said otherwise. */
export interface SealedUpload {
  readonly recipe: RecipeRef;
  /** Bytes of contents written now, and bytes that were there already. */
  readonly newBytes: number;
  readonly storedBytes: number;
  /** The same in pieces. */
  readonly newChunks: number;
  readonly storedChunks: number;
  /** How many packs were written, and their bytes as they lie in the store: pieces as coded, pages, recipe and footers. */
  readonly packs: number;
  readonly writtenBytes: number;
  /** Key of the root that keeps the contents after the upload is released; only of one that was opened with `keptAs`. */
  readonly root?: string;
}

/**
 * One push in flight. `put` reads a content once and writes what no earlier version has; `seal` writes the rest, then
 * the upload root, then checks what a collection has condemned; `release` removes the root and is called after the event
 * stands. Disposing an unreleased upload leaves only packs that nothing names, and none at all when it was not sealed
 * and nothing can resume it.
 */
export interface Upload extends AsyncDisposable {
  readonly id: string;
  /**
   * Adds a content; the recipe lists contents in the order of the calls. Calls need not wait for each other: thousands
   * of small files are taken fastest at once, and no content is opened before those put earlier are read.
   * @throws IngotError `source-changed` naming the path when its bytes are not what they should be, and as reading it
   * and the store do. After a failure the upload takes nothing more.
   */
  put(content: ContentBody, options?: ContentOptions): Promise<PutResult>;
  /**
   * Writes everything that is missing.
   * @throws IngotError as `put` does, for a content that must be written again because a collection took what it relied on.
   */
  seal(options?: ContentOptions): Promise<SealedUpload>;
  release(): Promise<void>;
}

/** Names the root of contents that no event names: `roots/<kind>/<id>.json`. Whoever asked for it deletes it. */
export interface KeptAs {
  /** `artifacts`, `logged-models`: small letters and dashes, not `uploads` or `collections`. */
  readonly kind: string;
  /** Letters, digits, `-`, `_`. Where a root of this name stands already, `-1`, `-2`, … is added. */
  readonly id: string;
  /** Who keeps it, so that nobody deletes another's: the id of a server. */
  readonly owner: string;
}

/** For what an upload is: a version that an event will name, or contents that a root of their own keeps. */
export type UploadPurpose =
  | {
      /** The model's id, for the upload root; a function is called before the root is written. `model-created` must stand then. */
      readonly modelId: string | (() => Promise<string>);
      readonly keptAs?: undefined;
    }
  | { readonly keptAs: KeptAs; readonly modelId?: undefined };

/** What a new upload is for, and may rely on. */
export type UploadOptions = ContentOptions &
  UploadPurpose & {
    /** Recipes of the model's newest versions, newest first: their contents need not be written again. */
    readonly base?: readonly RecipeRef[];
  };

/** Options of reading one content. */
export interface ReadOptions extends ContentOptions {
  /** Only these bytes of it, inside of its size: checked piece by piece, not as a whole. Default: all. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** Reads contents and takes new ones. */
export interface ContentStore extends ContentReader {
  openUpload(options: UploadOptions): Promise<Upload>;
}
