import { type BakedVersion, bakedDocuments } from '../package/baked-package.ts';
import type { CachedPackage } from '../package/cache.ts';
import { captureBytes } from '../package/captured.ts';
import { join } from 'node:path';
import { digestOf } from '../digest.ts';
import { canonicalJson } from '../json.ts';
import { checkedBlob } from '../oci/checked-blob.ts';
import { asOciDigest } from '../oci/digest.ts';
import type { OciOptions } from '../oci/oci-place.ts';
import type { HashedFile } from '../package/manifest.ts';
import type { ImageLayer, LayerFile } from './image-layer.ts';
import { IMAGE_PLACES } from './image-places.ts';
import { fileFrom, fileOf, heldEntries } from './layer-entries.ts';

/** A package that a base model of another one is, found by its manifest's digest. */
export type BasePackage = Pick<CachedPackage, 'manifest' | 'directory' | 'description'>;

/** Options of {@link modelLayer}. */
export interface ModelLayerOptions {
  readonly cached: CachedPackage;
  readonly version: BakedVersion;
  /** Models that it is built on. Default: none. */
  readonly bases?: readonly BasePackage[];
  /** Where its files lie in the image. Default: `models/NAME`. */
  readonly at?: string;
  /** Gives manifest and files, checked, where they do not lie in the cache. Default: they do. */
  readonly stored?: StoredFiles;
}

/** A package that is streamed from where it is stored. */
export interface StoredFiles {
  readonly manifest: Uint8Array;
  /** Streams a file, checked. */
  read(file: HashedFile, options: { readonly signal?: AbortSignal }): AsyncIterable<Uint8Array>;
}

/** Makes the layer of a model: its files as they were pushed, and what a server needs to answer with them. */
export function modelLayer({ cached, version, bases = [], at, stored }: ModelLayerOptions): ImageLayer {
  const place = at ?? `${IMAGE_PLACES.models}/${version.model}`;
  const called = `${version.model}:${version.version ?? version.number}`;
  return {
    name: 'model',
    title: `the model ${called}`,
    inputs: {
      form: 1,
      at: place,
      version: digestOf(canonicalJson({ ...version })),
      captured: cached.captured === undefined ? null : digestOf(captureBytes(cached.captured)),
      bases: bases.map(({ manifest }) => manifest).sort(),
    },
    createdBy: `ingot bake: model ${called} (${version.digest})`,
    async make(options = {}) {
      const documents = await bakedDocuments(cached, version, stored?.manifest);
      return heldEntries([
        ...(stored === undefined ? filesOf(cached, place) : storedFiles(cached, stored, place, options)),
        ...documents.map(({ path, bytes }) => fileOf(`${place}/${path}`, bytes)),
        ...bases.flatMap((base) => filesOf(base, `${place}/.ingot/bases/${base.manifest.slice('sha256:'.length)}`)),
      ]);
    },
  };
}

/** Whatever happened to the cached files since they were brought is found while they are read. */
function filesOf({ directory, description }: BasePackage, at: string): LayerFile[] {
  return description.files.map((file) => {
    const { path, sizeBytes, mode, digest } = file;
    const cached = fileFrom(`${at}/${path}`, join(directory, path), { sizeBytes, mode });
    return {
      ...cached,
      open: () => checkedBlob({ digest: asOciDigest(digest), size: sizeBytes }, cached.open(), 'bake'),
    };
  });
}

function storedFiles(
  { description }: Pick<CachedPackage, 'description'>,
  stored: StoredFiles,
  at: string,
  { signal }: OciOptions,
): LayerFile[] {
  return description.files.map((file) => ({
    kind: 'file',
    path: `${at}/${file.path}`,
    sizeBytes: file.sizeBytes,
    mode: file.mode,
    open: () => stored.read(file, { ...(signal && { signal }) }),
  }));
}
