/**
 * Manifests and indexes, read with care: they come from anywhere. A *manifest* lists the config and layers of one image
 * or artifact, an *index* the manifests of several platforms. Their bytes are their identity and are kept as they are.
 * Source: image-spec, manifest.md and image-index.md.
 */

import { IngotError } from '../errors.ts';
import { canonicalJson, isJsonObject, type JsonObject, parseJson } from '../json.ts';
import { annotationsOf, mediaTypeOf, parseDescriptor, wrong } from './descriptor.ts';
import { ociDigestOf, splitDigest } from './digest.ts';
import { isIndexType, isManifestType, OCI_MEDIA_TYPES } from './media-types.ts';
import type { Descriptor, OciDigest, StoredManifest } from './oci-place.ts';

/** The largest manifest that is read or written unless somebody allows more; registries have to take so much. Source: distribution-spec, "Pushing Manifests". */
export const MAX_OCI_MANIFEST_BYTES = 4 * 1024 * 1024;

/** What is common to both. */
interface ManifestFacts {
  readonly mediaType: string;
  readonly artifactType?: string;
  /** The manifest that this one says something about. */
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The config and the layers of an image or artifact. */
export interface ImageManifest extends ManifestFacts {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Manifests of several platforms. */
export interface ImageIndex extends ManifestFacts {
  readonly kind: 'index';
  readonly manifests: readonly Descriptor[];
}

/** What a manifest's bytes say. */
export type OciManifest = ImageManifest | ImageIndex;

/**
 * Reads a manifest or index. Its media type is what it says itself, and where it is silent, what it was handed over as.
 * Other fields are left out; bytes that could be read as both kinds are refused.
 * @param largestBytes default: {@link MAX_OCI_MANIFEST_BYTES}.
 * @throws IngotError `invalid-package` naming the field; Docker's schema 1, which names no contents, among them.
 * @example
 * const manifest = parseOciManifest(await place.manifest('latest'));
 */
export function parseOciManifest(
  { bytes, mediaType }: Pick<StoredManifest, 'bytes' | 'mediaType'>,
  largestBytes = MAX_OCI_MANIFEST_BYTES,
): OciManifest {
  if (bytes.byteLength > largestBytes) throw malformed(`it is larger than ${Math.floor(largestBytes / 2 ** 20)} MB`);
  const value = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  if (!isJsonObject(value)) throw malformed('it is no JSON object');
  if (value.schemaVersion === 1) throw malformed("it is of Docker's schema 1, which newer tools no longer write");
  if (value.schemaVersion !== 2) throw wrong('schemaVersion', '2', value.schemaVersion);
  const said = value.mediaType === undefined ? mediaType : mediaTypeOf(value.mediaType, 'mediaType');
  if (!isManifestType(said)) throw malformed(`manifests of type ${said} are not known here`);
  if (isIndexType(said) !== isIndexType(mediaType))
    throw malformed(`it says to be ${said} and was handed over as ${mediaType}`);
  return isIndexType(said) ? indexOf(value, said) : imageOf(value, said);
}

// Read as the other kind the same bytes would be another image: CVE-2021-41190.
function imageOf(value: JsonObject, mediaType: string): ImageManifest {
  if (value.manifests !== undefined) throw malformed('it lists both layers and manifests');
  return {
    kind: 'manifest',
    ...factsOf(value, mediaType),
    config: parseDescriptor(value.config, 'config'),
    layers: descriptorsOf(value.layers ?? [], 'layers'),
  };
}

function indexOf(value: JsonObject, mediaType: string): ImageIndex {
  if (value.layers !== undefined || value.config !== undefined)
    throw malformed('it lists both manifests and layers or a config');
  return { kind: 'index', ...factsOf(value, mediaType), manifests: descriptorsOf(value.manifests ?? [], 'manifests') };
}

function factsOf(value: JsonObject, mediaType: string): ManifestFacts {
  const { artifactType, subject } = value;
  if (artifactType !== undefined && typeof artifactType !== 'string')
    throw wrong('artifactType', 'a text', artifactType);
  return {
    mediaType,
    ...(artifactType === undefined || artifactType === '' ? {} : { artifactType }),
    ...(subject === undefined || subject === null ? {} : { subject: parseDescriptor(subject, 'subject') }),
    annotations: annotationsOf(value.annotations, 'annotations'),
  };
}

function descriptorsOf(value: unknown, at: string): Descriptor[] {
  if (!Array.isArray(value)) throw wrong(at, 'a list', value);
  return value.map((entry, index) => parseDescriptor(entry, `${at}[${index}]`));
}

/**
 * Takes bytes as the manifest they are said to be.
 * @param expected the digest they were asked for by; default: SHA-256 of the bytes.
 * @throws IngotError `integrity` when the bytes are others, `invalid-package` when they are no manifest or too many.
 */
export function checkManifest(bytes: Uint8Array, mediaType: string, expected?: OciDigest): StoredManifest {
  const digest = ociDigestOf(bytes, expected === undefined ? 'sha256' : splitDigest(expected).algorithm);
  if (expected !== undefined && digest !== expected)
    throw new IngotError('integrity', `the manifest ${expected} has other bytes: they are ${digest}`, {
      operation: 'oci.read',
      details: { expected, found: digest },
    });
  const parsed = parseOciManifest({ bytes, mediaType });
  return { bytes, mediaType: parsed.mediaType, digest };
}

/** What {@link writeManifest} writes. */
export type ManifestDraft =
  | (Partial<Omit<ImageManifest, 'kind' | 'config' | 'layers'>> & Pick<ImageManifest, 'config' | 'layers'>)
  | (Partial<Omit<ImageIndex, 'kind' | 'manifests'>> & Pick<ImageIndex, 'manifests'>);

/**
 * Writes a manifest or an index: canonical JSON, so that equal drafts give equal bytes and one digest.
 * @throws IngotError `invalid-package` when it would be larger than registries have to take.
 * @example
 * const manifest = writeManifest({ config, layers, annotations: { 'org.opencontainers.image.version': '7' } });
 */
export function writeManifest(draft: ManifestDraft): StoredManifest {
  const mediaType = draft.mediaType ?? ('manifests' in draft ? OCI_MEDIA_TYPES.index : OCI_MEDIA_TYPES.manifest);
  const { annotations, ...rest } = draft;
  const hasAnnotations = annotations !== undefined && Object.keys(annotations).length > 0;
  const bytes = Buffer.from(
    canonicalJson({ ...rest, schemaVersion: 2, mediaType, ...(hasAnnotations ? { annotations } : {}) }),
  );
  return checkManifest(bytes, mediaType);
}

/** The descriptor of a manifest as it lies there, for an index that lists it. */
export function describeManifest(manifest: StoredManifest): Descriptor {
  return { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.byteLength };
}

function malformed(why: string): IngotError {
  return new IngotError('invalid-package', `the manifest cannot be read: ${why}`, { operation: 'oci.read' });
}
