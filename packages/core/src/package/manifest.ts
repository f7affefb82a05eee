/**
 * The stored form of a package: an OCI image manifest that ModelPack readers understand. Its digest is the package's
 * identity, so nothing from time, machine, network or `--name` enters it. Our own facts are annotations:
 *
 * - `dev.ingot.package`: what serving needs to know ({@link PackageFacts}), canonical JSON;
 * - `dev.ingot.metadata`: `metadata.yaml` as JSON, losslessly;
 * - `dev.ingot.tar` on a tar layer: `{files, sizeBytes, executable}`. Such a layer is not stored as a tar: its files
 *   are contents of the recipe, and its bytes are rebuilt from them (see `tar.ts`).
 */

import { type Digest, digestOf } from '../digest.ts';
import { canonicalJson, type JsonObject } from '../json.ts';
import type { EnvironmentVariable } from '../serving/runtime.ts';
import type { Signature } from '../signature.ts';
import { type LayerPlan, placeOf, roleOf } from './layers.ts';
import { parseMetadata } from './metadata-yaml.ts';
import type { Flavor, Inference, Metadata } from './package.ts';

/** Media types of the manifest, by the clause of the ModelPack specification that fixes them. */
export const MEDIA_TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  artifact: 'application/vnd.cncf.model.manifest.v1+json',
  config: 'application/vnd.cncf.model.config.v1+json',
  layerPrefix: 'application/vnd.cncf.model.',
} as const;

/** Keys of the annotations that are read again. */
export const ANNOTATIONS = {
  filepath: 'org.cncf.model.filepath',
  fileMetadata: 'org.cncf.model.file.metadata+json',
  untested: 'org.cncf.model.file.mediatype.untested',
  title: 'org.opencontainers.image.title',
  package: 'dev.ingot.package',
  metadata: 'dev.ingot.metadata',
  tar: 'dev.ingot.tar',
} as const;

/** The largest manifest that registries have to take. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** What serving needs to know of a package, as far as its files and its author say it. */
export interface PackageFacts {
  readonly flavor: Flavor;
  readonly interfacePath?: string;
  readonly artifactPath?: string;
  readonly setupPath?: string;
  readonly signature?: Signature;
  readonly requirements: readonly string[];
  readonly pythonVersion?: string;
  readonly environmentVariables: readonly EnvironmentVariable[];
  readonly executesCode: boolean;
  readonly inferred: readonly Inference[];
  /** Parts of the metadata whose typed form the lossless copy does not give back (`1.0` is text there). */
  readonly typed?: Partial<Pick<Metadata, 'inputFeatures' | 'output' | 'hyperparameters'>>;
}

/** A file with its digest. */
export interface HashedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly digest: Digest;
}

/** A layer whose bytes are known. */
export type HashedLayer = LayerPlan<HashedFile> & { readonly digest: Digest; readonly sizeBytes: number };

/** A manifest and its config, as bytes. */
export interface BuiltManifest {
  readonly manifest: Uint8Array;
  readonly manifestDigest: Digest;
  readonly config: Uint8Array;
  readonly configDigest: Digest;
}

/** Builds manifest and config; equal input gives equal bytes. */
export function buildManifest(layers: readonly HashedLayer[], facts: PackageFacts, metadata?: Metadata): BuiltManifest {
  const config = Buffer.from(
    canonicalJson({
      descriptor: descriptorOf(metadata),
      config: { format: formatOf(facts) },
      modelfs: { type: 'layers', diffIds: layers.map(({ digest }) => digest) },
    }),
  );
  const configDigest = digestOf(config);
  const manifest = Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      artifactType: MEDIA_TYPES.artifact,
      config: { mediaType: MEDIA_TYPES.config, digest: configDigest, size: config.length },
      layers: layers.map((layer) => describeLayer(layer, facts.artifactPath)),
      annotations: {
        [ANNOTATIONS.package]: canonicalJson({ format: 1, ...facts, ...typedParts(metadata) }),
        ...(metadata === undefined ? {} : { [ANNOTATIONS.metadata]: canonicalJson(metadata.raw) }),
      },
    }),
  );
  return { manifest, manifestDigest: digestOf(manifest), config, configDigest };
}

function describeLayer(layer: HashedLayer, artifactPath: string | undefined): JsonObject {
  const path = placeOf(layer);
  const role = layer.kind === 'raw' ? roleOf(path, artifactPath) : 'weight';
  return {
    mediaType: `${MEDIA_TYPES.layerPrefix}${role}.v1.${layer.kind}`,
    digest: layer.digest,
    size: layer.sizeBytes,
    annotations: {
      [ANNOTATIONS.filepath]: path,
      [ANNOTATIONS.title]: path,
      [ANNOTATIONS.fileMetadata]: fileMetadata(layer, path),
      [ANNOTATIONS.untested]: 'false',
      ...(layer.kind === 'tar' ? { [ANNOTATIONS.tar]: canonicalJson(tarFacts(layer.files)) } : {}),
    },
  };
}

function fileMetadata(layer: HashedLayer, name: string): string {
  const kind =
    layer.kind === 'raw'
      ? { mode: layer.file.mode, size: layer.sizeBytes, typeflag: 48 }
      : { mode: 0o755, size: 0, typeflag: 53 };
  return JSON.stringify({
    name,
    mode: kind.mode,
    uid: 0,
    gid: 0,
    size: kind.size,
    mtime: '1970-01-01T00:00:00Z',
    typeflag: kind.typeflag,
  });
}

function tarFacts(files: readonly HashedFile[]): JsonObject {
  return {
    files: files.length,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    executable: files.filter((file) => file.mode === 0o755).map((file) => file.path),
  };
}

function formatOf({ flavor, artifactPath }: PackageFacts): string {
  if (flavor === 'onnx' || flavor === 'sklearn') return flavor;
  const extension = /\.([A-Za-z0-9]{1,16})$/.exec(artifactPath ?? '')?.[1]?.toLowerCase();
  if (extension === 'pkl' || extension === 'pickle' || extension === 'joblib') return 'pickle';
  return extension ?? flavor;
}

/** What reading the lossless copy again would get wrong. */
function typedParts(metadata: Metadata | undefined): Pick<PackageFacts, 'typed'> {
  if (metadata === undefined) return {};
  const again = parseMetadata(JSON.stringify(metadata.raw)).metadata;
  const keys = ['inputFeatures', 'output', 'hyperparameters'] as const;
  const lost = keys.filter((key) => canonicalJson(again?.[key] ?? null) !== canonicalJson(metadata[key] ?? null));
  return lost.length === 0 ? {} : { typed: Object.fromEntries(lost.map((key) => [key, metadata[key]])) };
}

/** The fields that ModelPack's config has a place for; everything else stays in our annotation. */
function descriptorOf(metadata: Metadata | undefined): JsonObject {
  if (metadata === undefined) return {};
  const { name, version, description, author, createdDate, trainedOnData } = metadata;
  const createdAt = rfc3339(createdDate);
  const license = metadata.raw.license;
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    ...(author === undefined ? {} : { authors: [author] }),
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(typeof license === 'string' ? { licenses: [license] } : {}),
    ...(trainedOnData !== undefined && /^https?:\/\/\S+$/.test(trainedOnData) ? { datasetsURL: [trainedOnData] } : {}),
  };
}

function rfc3339(text: string | undefined): string | undefined {
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text ?? '') ? `${text}T00:00:00Z` : text;
  if (date === undefined || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[-+]\d{2}:\d{2})$/.test(date))
    return undefined;
  return Number.isNaN(Date.parse(date)) ? undefined : date;
}
