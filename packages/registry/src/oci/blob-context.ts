import { type Digest, isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { isOciDigest } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { RecipeRef } from '@ingot/core/content/content-store';
import type { ArtifactContext } from '../artifacts/artifact-context.ts';
import type { BlobReferences, ModelContents } from './oci-blobs.ts';
import { ociError } from './oci-error.ts';
import type { RepositoryName } from './repository.ts';

/** Says which versions of a model have contents that new blobs of its repository may share. */
export interface ModelRecipes {
  /** Recipes of the newest versions of the model that is called like the repository, newest first; none where there is none. */
  newest(repository: RepositoryName, count: number): Promise<readonly RecipeRef[]>;
}

/** What blobs and uploads work with. */
export interface BlobContext extends ArtifactContext {
  readonly models: ModelContents;
  /** Default: new blobs share contents with the repository's own blobs alone. */
  readonly recipes?: ModelRecipes | undefined;
  readonly references: BlobReferences;
  /** Most bytes of a blob. */
  readonly largestBytes: number;
}

/** Blobs up to this size are staged in the database, so that one costs about one durable write. */
export const STAGED_BYTES = 256 * 1024;

/** Reads the digest of a request. Throws DIGEST_INVALID. */
export function requestedDigest(text: string): OciDigest {
  if (isOciDigest(text)) return text;
  throw ociError('DIGEST_INVALID', `"${text.slice(0, 160)}" is no digest that this registry computes`, {
    hint: 'sha256: and 64, or sha512: and 128 small hexadecimal digits',
  });
}

/** Reads a digest of a row. Throws `integrity`. */
export function keptDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new IngotError('integrity', 'a digest in the database of blobs is damaged');
}

/** Refuses bytes that are others than they were called. */
export function otherBytes(named: OciDigest, found: OciDigest | Digest): IngotError {
  return ociError('DIGEST_INVALID', `the blob was called ${named}, and what came has the digest ${found}`, {
    detail: { named, found },
  });
}
