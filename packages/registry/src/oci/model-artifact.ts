import { isJsonObject, parseJson } from '@ingot/core/json';
import { isPackedFolder, OCI_MEDIA_TYPES } from '@ingot/core/oci/media-types';
import type { Descriptor } from '@ingot/core/oci/oci-place';
import { ANNOTATIONS, MEDIA_TYPES } from '@ingot/core/package/manifest';
import { findCollision, whyUnsafePath } from '@ingot/core/package/paths';
import { ociError } from './oci-error.ts';
import type { PushedManifest } from './read-manifest.ts';

/** A layer of a model: a file, or a tar of files. */
export type ModelLayer =
  | { readonly kind: 'file'; readonly descriptor: Descriptor; readonly path: string; readonly isExecutable: boolean }
  | { readonly kind: 'tar'; readonly descriptor: Descriptor; readonly packing: 'gzip' | 'none' };

/** What makes a manifest a model. */
export interface ModelArtifact {
  readonly layers: readonly ModelLayer[];
}

const KITOPS_CONFIG = /^application\/vnd\.kitops\.modelkit\.config\.v\d+\+json$/;
const KITOPS_LAYER = /^application\/vnd\.kitops\.modelkit\.\w+\.v\d+\.tar(\+gzip)?$/;
const MODEL_LAYER = /^application\/vnd\.cncf\.model\.[\w.]+\.v\d+\.(raw|tar)(\+\w+)?$/;
const IMAGE_CONFIGS: ReadonlySet<string> = new Set([OCI_MEDIA_TYPES.config, OCI_MEDIA_TYPES.dockerConfig]);

/**
 * Says what of a manifest is a model: ModelPack's and KitOps' kinds, and artifacts all of whose layers are files with
 * names. Undefined: it is an image, an index, says something about another manifest, or is of a kind that is kept as it is.
 * @throws IngotError MANIFEST_INVALID for a model whose files cannot be those of a package.
 */
export function modelArtifactOf(manifest: PushedManifest): ModelArtifact | undefined {
  const { kind, config, subject, layers, artifactType } = manifest;
  if (kind !== 'manifest' || config === undefined || subject !== undefined || layers.length === 0) return undefined;
  const isModelPack = artifactType === MEDIA_TYPES.artifact || config.mediaType === MEDIA_TYPES.config;
  if (isModelPack || KITOPS_CONFIG.test(config.mediaType)) return { layers: safe(layers.map(layerOf)) };
  if (IMAGE_CONFIGS.has(config.mediaType) || !layers.every(isNamed)) return undefined;
  const named = layers.map(layerOf);
  return whyNot(named) === undefined ? { layers: named } : undefined;
}

function isNamed(descriptor: Descriptor): boolean {
  return nameOf(descriptor) !== undefined;
}

function nameOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[ANNOTATIONS.filepath] ?? annotations?.[ANNOTATIONS.title];
}

function layerOf(descriptor: Descriptor): ModelLayer {
  const { mediaType, annotations } = descriptor;
  const [, kind, coding] = MODEL_LAYER.exec(mediaType) ?? [];
  if (kind === 'tar') return { kind: 'tar', descriptor, packing: packingOf(coding, mediaType) };
  const kitops = KITOPS_LAYER.exec(mediaType);
  if (kitops !== null) return { kind: 'tar', descriptor, packing: packingOf(kitops[1], mediaType) };
  if (isPackedFolder(mediaType, annotations))
    return { kind: 'tar', descriptor, packing: /gzip$/.test(mediaType) ? 'gzip' : 'none' };
  return { kind: 'file', descriptor, path: nameOf(descriptor) ?? '', isExecutable: isExecutable(descriptor) };
}

function packingOf(coding: string | undefined, mediaType: string): 'gzip' | 'none' {
  if (coding === undefined) return 'none';
  if (coding === '+gzip') return 'gzip';
  throw ociError('MANIFEST_INVALID', `layers of type ${mediaType} are not unpacked here`, {
    hint: 'push the files as .raw, .tar or .tar+gzip',
  });
}

function isExecutable({ annotations }: Descriptor): boolean {
  const facts = parseJson(annotations?.[ANNOTATIONS.fileMetadata] ?? '{}');
  const mode = isJsonObject(facts ?? null) ? Object(facts).mode : undefined;
  return typeof mode === 'number' && (mode & 0o100) !== 0;
}

function safe(layers: readonly ModelLayer[]): readonly ModelLayer[] {
  const why = whyNot(layers);
  if (why === undefined) return layers;
  throw ociError('MANIFEST_INVALID', `the manifest is a model, and ${why}`);
}

/** What keeps files from lying beside each other in a package. */
function whyNot(layers: readonly ModelLayer[]): string | undefined {
  const paths = layers.flatMap((layer) => (layer.kind === 'file' ? [layer.path] : []));
  for (const path of paths) {
    const why = whyUnsafePath(path);
    if (why !== undefined) return `the path ${JSON.stringify(path.slice(0, 80))} in it cannot be used: ${why}`;
  }
  const collision = findCollision(paths);
  return collision && `its paths "${collision[0]}" and "${collision[1]}" cannot lie beside each other`;
}
