/**
 * A blob is some bytes under a key; a blob store is what a storage backend implements. Keys are `/`-separated,
 * relative, without empty, `.` or `..` segments. Blobs are never overwritten: the only write is create-if-absent.
 */

/** What is known of a blob without reading it. */
export interface BlobStat {
  readonly sizeBytes: number;
  /** The storage's own clock. */
  readonly modifiedAt: Date;
  /** Changes whenever the bytes under the key do (an ETag, a generation), for whoever follows a file that others overwrite. */
  readonly revision?: string;
  /** Names these very bytes among the versions that the storage keeps of a key: S3 `versionId`, GCS generation, Azure `versionId`. */
  readonly objectVersion?: string;
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
  /** Whether a write waits for {@link BlobWriteOptions.after} between its bytes and its name. Default: false. */
  readonly waits?: boolean;
}

/** Options that every operation takes. */
export interface BlobOptions {
  readonly signal?: AbortSignal;
}

/** Options of looking at one blob. */
export interface BlobVersionOptions extends BlobOptions {
  /** One of the storage's own versions of the key. Default: the newest. Only where the backend has {@link BlobStore.versions}. */
  readonly objectVersion?: string;
}

/** Options of {@link BlobStore.write}. */
export interface BlobWriteOptions extends BlobOptions {
  /**
   * Whether nobody relies on it: a power cut may lose it, or leave it with other bytes. For hints, and for blobs that are
   * deleted at once. Backends may make it durable all the same. Default: false.
   */
  readonly expendable?: boolean;
  /** Whether the key is thought to be free: then nobody looks first, which only costs more when it is not. Default: false. */
  readonly thoughtFree?: boolean;
  /**
   * What must have happened before the blob is there; its bytes may be written meanwhile. When it fails, nothing is there,
   * and its error is thrown as it is. Only for backends that wait ({@link BlobCapabilities.waits}). Default: nothing.
   */
  readonly after?: Promise<unknown>;
}

/** Options of {@link BlobStore.read}. */
export interface BlobReadOptions extends BlobVersionOptions {
  /** Default: the whole blob. */
  readonly range?: ByteRange;
  /**
   * Memory for gathering what comes over a network, so that a long read gives few long pieces: then each lies in it, and
   * is good until the next is asked for. Backends may leave it alone. Default: pieces as they come.
   */
  readonly into?: Uint8Array;
}

/** What a signed address is for. */
export interface SignedUse {
  /** `read`: any range of the blob; `create`: the blob, if its key is not taken. */
  readonly use: 'read' | 'create';
  readonly expiresInSeconds: number;
  /** Bytes of the blob that is created. */
  readonly sizeBytes?: number;
}

/** An address that is good for a while. */
export interface SignedAddress {
  readonly url: string;
  /** Headers that must go with the request, as they are. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One of the versions that a storage keeps of a key, newest first in a listing. */
export interface BlobVersion extends BlobStat {
  readonly objectVersion: string;
  /** Whether reading the key without a version gives this one. */
  readonly isNewest: boolean;
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
  stat(key: string, options?: BlobVersionOptions): Promise<BlobStat | undefined>;
  /**
   * Streams a blob or a range of it. One request.
   * @throws IngotError `content-not-found` when there is no such blob, `integrity` when it ends before the range does.
   */
  read(key: string, options?: BlobReadOptions): AsyncIterable<Uint8Array>;
  /**
   * Creates a blob, whole or not at all: `created`, or `exists` when the key is taken (its bytes are left alone).
   * A failure of the body itself is thrown as it is.
   * @throws IngotError `integrity` when the body gives another number of bytes than it said.
   */
  write(key: string, body: BlobBody, options?: BlobWriteOptions): Promise<'created' | 'exists'>;
  /** Removes a blob; nothing happens when there is none. One request. */
  delete(key: string, options?: BlobOptions): Promise<void>;
  /** Lists blobs whose key starts with `prefix`, in the order of their keys' UTF-8 bytes, after `after`. One request per 1,000. */
  list(prefix: string, options?: BlobOptions & { readonly after?: string }): AsyncIterable<BlobEntry>;
  /** Where `capabilities.localFiles`: the path of the file that holds a blob, for reading only; undefined when there is none. */
  localPath?(key: string): Promise<string | undefined>;
  /**
   * Where the storage signs addresses: one by which whoever has it reads a blob, or creates it, for a while. Sends no
   * request. Undefined where this blob cannot be reached so. Backends that do not sign do not have it.
   */
  signed?(key: string, use: SignedUse): Promise<SignedAddress | undefined>;
  /**
   * Where the storage keeps versions of a key: all that can be read, newest first; markers of deletion are left out.
   * One request per 1,000. Backends without versions do not have it.
   */
  versions?(key: string, options?: BlobOptions): AsyncIterable<BlobVersion>;
}
