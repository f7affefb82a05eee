/** What the layers of an artifact are: files as they are, tars of files, or the layers of an image. */

import { isJsonObject, parseJson } from './json.ts';
import type { ImageManifest } from './oci/manifest.ts';
import { isPackedFolder, OCI_ANNOTATIONS, OCI_MEDIA_TYPES, packingOf, type LayerPacking } from './oci/media-types.ts';
import type { Descriptor } from './oci/oci-place.ts';
import { ANNOTATIONS, MEDIA_TYPES } from './package/manifest.ts';

/** A layer that is one file. */
export interface FileLayer {
  readonly kind: 'file';
  readonly descriptor: Descriptor;
  /** Path of the file, as the artifact says it. */
  readonly path: string;
  readonly executable: boolean;
}

/** A layer that is a tar of files. */
export interface TarLayer {
  readonly kind: 'tar';
  readonly descriptor: Descriptor;
  readonly packing: LayerPacking;
}

/** What is to be made of a manifest. */
export type OciForm =
  | {
      readonly kind: 'artifact';
      readonly layers: readonly (FileLayer | TarLayer)[];
      readonly skipped: readonly Descriptor[];
    }
  | { readonly kind: 'image'; readonly layers: readonly TarLayer[] };

const IMAGE_CONFIGS: readonly string[] = [OCI_MEDIA_TYPES.config, OCI_MEDIA_TYPES.dockerConfig];
const IMAGE_LAYER = /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\./;

/**
 * Says what the layers of a manifest are. `oras` gives a file the type of an image's layer, and tells a directory by an
 * annotation; ModelPack and KitOps tell by the type.
 */
export function formOf(manifest: ImageManifest): OciForm {
  if (isImage(manifest)) {
    return {
      kind: 'image',
      layers: manifest.layers.flatMap((descriptor) => {
        const packing = packingOf(descriptor.mediaType);
        return packing === undefined ? [] : [{ kind: 'tar' as const, descriptor, packing }];
      }),
    };
  }
  const layers: (FileLayer | TarLayer)[] = [];
  const skipped: Descriptor[] = [];
  for (const descriptor of manifest.layers) {
    const layer = layerOf(descriptor);
    if (layer === undefined) skipped.push(descriptor);
    else layers.push(layer);
  }
  return { kind: 'artifact', layers, skipped };
}

/** Whether a manifest is a container image, and no artifact that looks like one. */
function isImage({ config, layers, artifactType }: ImageManifest): boolean {
  if (!IMAGE_CONFIGS.includes(config.mediaType)) return false;
  const isTitled = layers.some(({ annotations = {} }) => annotations[OCI_ANNOTATIONS.title] !== undefined);
  return !isTitled && (artifactType === undefined || IMAGE_CONFIGS.includes(artifactType));
}

function layerOf(descriptor: Descriptor): FileLayer | TarLayer | undefined {
  const { annotations = {}, mediaType } = descriptor;
  const path = annotations[ANNOTATIONS.filepath] ?? annotations[OCI_ANNOTATIONS.title];
  const packing = packingOf(mediaType);
  const isTar =
    packing !== undefined &&
    (!IMAGE_LAYER.test(mediaType) || isPackedFolder(mediaType, annotations) || path === undefined);
  if (isTar) return { kind: 'tar', descriptor, packing };
  if (path === undefined) return undefined;
  return { kind: 'file', descriptor, path, executable: isExecutable(annotations[ANNOTATIONS.fileMetadata]) };
}

function isExecutable(metadata: string | undefined): boolean {
  const value = metadata === undefined ? undefined : parseJson(metadata);
  const mode = isJsonObject(value) ? value.mode : undefined;
  return typeof mode === 'number' && (mode & 0o100) !== 0;
}

/** What an artifact calls itself. */
export interface OciNames {
  readonly name?: string;
  readonly version?: string;
  /** ISO 8601. */
  readonly createdAt?: string;
}

/** Reads names out of the config of an artifact: ModelPack's `descriptor`, KitOps' `package`, an image's labels. */
export function namesIn(mediaType: string, config: Uint8Array): OciNames {
  const value = parseJson(Buffer.from(config).toString('utf8'));
  if (!isJsonObject(value)) return {};
  if (mediaType === MEDIA_TYPES.config) return namesOf(value.descriptor, 'createdAt');
  if (/vnd\.kitops\.modelkit\.config/.test(mediaType)) return namesOf(value.package, '');
  const inner = isJsonObject(value.config) ? value.config.Labels : undefined;
  const labels = isJsonObject(inner) ? inner : {};
  const { 'dev.ingot.model': name, 'dev.ingot.version': version } = labels;
  return {
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof version === 'string' ? { version } : {}),
    ...dateOf(value.created),
  };
}

function namesOf(value: unknown, dateKey: string): OciNames {
  if (!isJsonObject(value)) return {};
  const { name, version } = value;
  return {
    ...(typeof name === 'string' && name !== '' ? { name } : {}),
    ...(typeof version === 'string' && version !== '' ? { version } : {}),
    ...dateOf(value[dateKey]),
  };
}

/** A date that says nothing, as reproducible images have it, is left out. */
function dateOf(value: unknown): Pick<OciNames, 'createdAt'> {
  if (typeof value !== 'string') return {};
  const at = Date.parse(value);
  return Number.isNaN(at) || at <= 0 ? {} : { createdAt: new Date(at).toISOString() };
}
