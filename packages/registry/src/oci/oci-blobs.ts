/**
 * A *blob* is bytes of a repository under a digest: what was pushed there, or a content of a version of the model that
 * is called like it.
 */

import type { ReadOptions, RecipeRef } from '@ingot/core/content/content-store';
import type { LentOptions } from '@ingot/core/content/lent-reader';
import type { Digest } from '@ingot/core/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { RepositoryName } from './repository.ts';

/** A blob that is there. */
export interface OciBlob {
  readonly sizeBytes: number;
  /** SHA-256 of its bytes, whatever the digest it was asked by. */
  readonly content: Digest;
  /** The recipe that has its bytes as one content, so that a package can rely on them; undefined: they are made when read. */
  readonly recipe?: RecipeRef;
  /** Streams it, or a range of it, verified as the store does. */
  read(options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** The same for who sends it: what it gives holds only until the next is asked for. Default: `read` is used. */
  lend?(options: LentOptions): AsyncIterable<Uint8Array>;
}

/** Options of looking for blobs. */
export interface BlobLookup {
  readonly signal?: AbortSignal;
}

/** Blobs that were pushed to repositories, as manifests ask for them. */
export interface OciBlobs {
  /** Finds a blob in a repository; undefined: it has none of this digest. */
  find(repository: RepositoryName, digest: OciDigest, options?: BlobLookup): Promise<OciBlob | undefined>;
}

/** Contents of the versions of models, as blobs of the repositories that are called like them. */
export interface ModelContents {
  /** Finds a content of any version of the model: a file, a config, a tar layer. Undefined: no version has it. */
  find(repository: RepositoryName, digest: OciDigest, options?: BlobLookup): Promise<OciBlob | undefined>;
  /**
   * Repositories where versions of the model were pushed that name a blob, when the model had another name. Default: a
   * model always had the name it has.
   */
  formerNames?(repository: RepositoryName, digest: OciDigest): Promise<readonly RepositoryName[]>;
}

/** Says whether manifests rely on blobs, so that these are not let go. */
export interface BlobReferences {
  /** Whether a manifest of the repository names the blob. */
  isReferenced(repository: RepositoryName, digest: OciDigest): Promise<boolean>;
}
