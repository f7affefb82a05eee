import type { OciPlace, Platform } from '../oci/oci-place.ts';
import type { OnProgress } from '../progress.ts';
import type { BaseImage } from './base-image.ts';

/** Finds one platform of a base image. Throws `not-found` naming the platforms there are. */
export type FindBase = (platform: Platform, options?: { readonly signal?: AbortSignal }) => Promise<BaseImage>;

/** Options of `bakeImage`. */
export interface BakeOptions {
  readonly base: FindBase;
  readonly to: OciPlace;
  /** The tag that moves to what was baked. Default: none, it is found by digest. */
  readonly tag?: string;
  /** One gives a manifest, several an index. Default: linux on this machine's architecture. */
  readonly platforms?: readonly Platform[];
  /** Directory of the cache for layers and for what is remembered of them. */
  readonly cache: string;
  /** ISO 8601, written as the time of creation. Default: 1970-01-01T00:00:00Z. */
  readonly created?: string;
  /** The repository of a registry that `to` is: `ghcr.io/team/churn`. Others of that registry lend layers that they have. */
  readonly repository?: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}
