import { type BakedVersion, bakedDocuments } from '../package/baked-package.ts';
import type { CachedPackage } from '../package/cache.ts';
import { captureBytes } from '../package/captured.ts';
import { join } from 'node:path';
import { digestOf } from '../digest.ts';
import { canonicalJson } from '../json.ts';
import type { ImageLayer } from './image-layer.ts';
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
}

/** Makes the layer of a model: its files as they were pushed, and what a server needs to answer with them. */
export function modelLayer({ cached, version, bases = [], at }: ModelLayerOptions): ImageLayer {
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
    async make() {
      const documents = await bakedDocuments(cached, version);
      return heldEntries([
        ...filesOf(cached, place),
        ...documents.map(({ path, bytes }) => fileOf(`${place}/${path}`, bytes)),
        ...bases.flatMap((base) => filesOf(base, `${place}/.ingot/bases/${base.manifest.slice('sha256:'.length)}`)),
      ]);
    },
  };
}

function filesOf({ directory, description }: BasePackage, at: string) {
  return description.files.map(({ path, sizeBytes, mode }) =>
    fileFrom(`${at}/${path}`, join(directory, path), { sizeBytes, mode }),
  );
}
