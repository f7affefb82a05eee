/**
 * A blob is some bytes under a key; a blob store is what a storage backend implements. Keys are `/`-separated,
 * relative, without empty, `.` or `..` segments. Blobs are never overwritten: the only write is create-if-absent.
 */

/** What is known of a blob without reading it. */
export interface BlobStat {
  readonly sizeBytes: number;
  /** The storage's own clock. */
  readonly modifiedAt: Date;
}

/** A blob in a listing. */
export interface BlobEntry extends BlobStat {
  readonly key: string;
}

/** Bytes to be written; opened again when a write is retried. */
export interface BlobBody {
  readonly sizeBytes: number;
  /** Gives the bytes in pieces. A piece is not changed after it was given. */
  open(): AsyncIterable<Uint8Array>;
}

/** Part of a blob: `start` inclusive, `end` exclusive; an open end reads to the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** How backends differ. Callers branch on these, never on a backend's name. */
export interface BlobCapabilities {
  /** Whether create-if-absent is known to be honoured. */
  readonly createIfAbsent: 'yes' | 'unverified' | 'no';
  /** How long a reader may go on missing a blob that was written, in milliseconds; 0 where reads are consistent. */
  readonly stalenessMs: number;
  /** Whether blobs are plain files that a local path names (`localPath`). */
  readonly localFiles: boolean;
  readonly readOnly: boolean;
}

/** Options that every operation takes. */
export interface BlobOptions {
  readonly signal?: AbortSignal;
}

/**
 * What a storage backend implements.
 *
 * All operations throw `IngotError`: `unavailable` (the backend does not answer; retryable), `forbidden`, `disk-full`,
 * `interrupted` (the signal fired), `usage` (a malformed key).
 */
export interface BlobStore {
  /** The address it was opened with, without secrets. */
  readonly address: string;
  readonly capabilities: BlobCapabilities;
  /** Gives size and time of a blob, or undefined when there is none. One request. */
  stat(key: string, options?: BlobOptions): Promise<BlobStat | undefined>;
  /**
   * Streams a blob or a range of it. One request.
   * @throws IngotError `content-not-found` when there is no such blob, `integrity` when it ends before the range does.
   */
  read(key: string, options?: BlobOptions & { readonly range?: ByteRange }): AsyncIterable<Uint8Array>;
  /**
   * Creates a blob, whole or not at all: `created`, or `exists` when the key is taken (its bytes are left alone).
   * A failure of the body itself is thrown as it is.
   * @throws IngotError `integrity` when the body gives another number of bytes than it said.
   */
  write(key: string, body: BlobBody, options?: BlobOptions): Promise<'created' | 'exists'>;
  /** Removes a blob; nothing happens when there is none. One request. */
  delete(key: string, options?: BlobOptions): Promise<void>;
  /** Lists blobs whose key starts with `prefix`, in the order of their keys' UTF-8 bytes, after `after`. One request per 1,000. */
  list(prefix: string, options?: BlobOptions & { readonly after?: string }): AsyncIterable<BlobEntry>;
  /** Where `capabilities.localFiles`: the path of the file that holds a blob, for reading only; undefined when there is none. */
  localPath?(key: string): Promise<string | undefined>;
}
