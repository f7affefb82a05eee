/**
 * Where OCI contents lie: a repository of a registry, a layout directory, an archive. One interface, so that baking,
 * pulling, exporting and mirroring do not know which of them they talk to.
 */

import type { OnProgress } from '../progress.ts';

/** Digest as OCI writes it: `sha256:` or `sha512:` and small hexadecimal digits. */
export type OciDigest = `sha256:${string}` | `sha512:${string}`;

/** What an image was made for, image-spec's words: `linux`, `amd64`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** Names a content: its kind, digest and size. Source: image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: OciDigest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  /** The content itself, base64, where somebody put it there. */
  readonly data?: string;
}

/** A manifest or an index as it lies there: byte for byte. */
export interface StoredManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: OciDigest;
}

/** Options of every call. */
export interface OciOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Reads a repository. Everything it gives has been checked against its digest. */
export interface OciReader {
  /**
   * Reads a manifest by tag or digest.
   * @throws IngotError `not-found` with the nearest tag, `unauthenticated`, `forbidden`, `unavailable`, `integrity`.
   */
  manifest(reference: string, options?: OciOptions): Promise<StoredManifest>;
  /** Streams a blob, or a range of it; the whole is checked at its end, a range by what carries it. Throws as `manifest` does. */
  blob(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options?: OciOptions & { readonly range?: { readonly start: number; readonly end: number } },
  ): AsyncIterable<Uint8Array>;
  /** Streams the tags, sorted as the place sorts them. */
  tags(options?: OciOptions): AsyncIterable<string>;
  /** Manifests that have this one as their subject. */
  referrers(
    digest: OciDigest,
    options?: OciOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]>;
}

/** What became of a blob that was put: it was sent, lent by another repository of the place, or there already. */
export type BlobPut = 'created' | 'mounted' | 'exists';

/** Reads a repository and adds to it. Blobs come before the manifests that name them. */
export interface OciPlace extends OciReader {
  hasBlob(digest: OciDigest, options?: OciOptions): Promise<boolean>;
  /**
   * Puts a blob unless it is there; `open` is called again for another attempt.
   * @param options `from`: another repository of the place that has it, to lend it without sending.
   * @throws IngotError `integrity` when the bytes are others, `unauthenticated`, `forbidden`, `unavailable`, `disk-full`.
   */
  putBlob(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    open: () => AsyncIterable<Uint8Array>,
    options?: OciOptions & { readonly from?: string },
  ): Promise<BlobPut>;
  /**
   * Puts a blob whose digest is only known when its bytes have gone by, reading them once. Absent where a digest must
   * be said first: then they are read twice.
   * @throws IngotError as `putBlob` does; `integrity` when there are more or fewer bytes than `size`.
   */
  newBlob?(
    size: number,
    open: () => AsyncIterable<Uint8Array>,
    options?: OciOptions,
  ): Promise<{ readonly digest: OciDigest; readonly put: BlobPut }>;
  /** Puts a manifest under its digest and, where given, under a tag, which moves there. */
  putManifest(manifest: StoredManifest, options?: OciOptions & { readonly tag?: string }): Promise<void>;
}
