import type { OciDigest, Platform } from '../oci/oci-place.ts';

/** What became of a layer at the destination. */
export interface BakedLayer {
  readonly name: 'base' | 'environment' | 'server' | 'model';
  readonly title?: string;
  readonly mediaType: string;
  readonly digest: OciDigest;
  /** Digest of the uncompressed tar. */
  readonly diffId: OciDigest;
  /** Bytes as it lies there. */
  readonly sizeBytes: number;
  /** Whether it was made now, or known from an earlier bake; a base's layers are never made. */
  readonly made: boolean;
  /** Whether its bytes were sent, lent by another repository, or there already. */
  readonly put: 'created' | 'mounted' | 'exists';
}

/** One platform of what was baked. */
export interface BakedImage {
  readonly platform: Platform;
  /** Of its manifest. */
  readonly digest: OciDigest;
  readonly configDigest: OciDigest;
  readonly base?: { readonly name: string; readonly digest?: OciDigest };
  readonly layers: readonly BakedLayer[];
}

/** What a bake gave. */
export interface BakeResult {
  /** Of the manifest, or of the index when there are several platforms. */
  readonly digest: OciDigest;
  readonly images: readonly BakedImage[];
  /** Bytes sent now, and bytes that were there already or lent. */
  readonly newBytes: number;
  readonly storedBytes: number;
}
