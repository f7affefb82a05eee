import type { Digest } from '@ingot/core/digest';
import { asOciDigest } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import { OCI_MEDIA_TYPES } from '@ingot/core/oci/media-types';
import { openStoredPackage } from '@ingot/core/package/stored-package';
import type { RecipeRef } from '@ingot/core/content/content-store';
import type { Services } from '../services.ts';
import type { OciBlob } from './oci-blobs.ts';
import { tarBlob } from './tar-blob.ts';

/** Which version's package is meant. */
export interface VersionPlace {
  readonly modelId: string;
  readonly number: number;
  readonly manifest: Digest;
  readonly recipe: RecipeRef;
}

/** The package of a version as clients of the API see it. */
export interface VersionPackage {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: OciDigest;
  /** Its layers and its config. */
  readonly blobs: ReadonlyMap<string, OciBlob>;
  /** Digests of what is no file: the config, and tars. */
  readonly made: readonly Digest[];
}

/** Packages kept: whoever has read a manifest reads its blobs next. */
const KEPT = 32;

/** Opens the packages of versions, and keeps the last ones. What a version has never changes. */
export class VersionPackages {
  readonly #store: Services['store'];
  readonly #kept = new Map<string, Promise<VersionPackage>>();

  constructor({ store }: Pick<Services, 'store'>) {
    this.#store = store;
  }

  /** Throws `content-not-found`, `integrity`, and as the store does. */
  async open(place: VersionPlace): Promise<VersionPackage> {
    const key = keyOf(place);
    const known = this.#kept.get(key);
    const opening = known ?? this.#read(place);
    this.#kept.delete(key);
    this.#kept.set(key, opening);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest);
    try {
      return await opening;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }

  /** Finds a blob in what is kept of a model; undefined: it may still have it. */
  async kept(
    modelId: string,
    digest: Digest,
  ): Promise<{ readonly number: number; readonly blob: OciBlob } | undefined> {
    for (const [key, opening] of this.#kept) {
      const [id, number] = key.split('/');
      if (id !== modelId) continue;
      const found = await opening.then(
        ({ blobs }) => blobs.get(digest),
        () => undefined, // Whoever opened it is told.
      );
      if (found !== undefined) return { number: Number(number), blob: found };
    }
    return undefined;
  }

  async #read(place: VersionPlace): Promise<VersionPackage> {
    const { contents } = this.#store;
    const { recipe, description, manifest, config } = await openStoredPackage(contents, place);
    const blobs = new Map<string, OciBlob>();
    const made: Digest[] = [description.config];
    blobs.set(description.config, {
      sizeBytes: config.byteLength,
      content: description.config,
      recipe: place.recipe,
      read: ({ range = { start: 0, end: config.byteLength } } = {}) => only(config.subarray(range.start, range.end)),
    });
    for (const layer of description.layers) {
      const { digest, sizeBytes } = layer;
      if (layer.kind === 'tar') {
        made.push(digest);
        blobs.set(
          digest,
          tarBlob(layer, (file, options) => contents.read(recipe, file, options)),
        );
      } else
        blobs.set(digest, {
          sizeBytes,
          content: digest,
          recipe: place.recipe,
          read: (options) => contents.read(recipe, digest, options),
        });
    }
    const { manifest: digest } = place;
    return { bytes: manifest, mediaType: OCI_MEDIA_TYPES.manifest, digest: asOciDigest(digest), blobs, made };
  }
}

function keyOf({ modelId, number }: VersionPlace): string {
  return `${modelId}/${number}`;
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
