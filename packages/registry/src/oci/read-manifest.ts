import { isIngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonValue } from '@ingot/core/json';
import { parseDescriptor } from '@ingot/core/oci/descriptor';
import { MAX_OCI_MANIFEST_BYTES, parseOciManifest } from '@ingot/core/oci/manifest';
import { isIndexType, isManifestType, OCI_MEDIA_TYPES } from '@ingot/core/oci/media-types';
import type { Descriptor } from '@ingot/core/oci/oci-place';
import { ociError } from './oci-error.ts';

/** What a pushed manifest says, as far as a registry needs it. */
export interface PushedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** `other`: of a type that is not known here; it is kept as it is. */
  readonly kind: 'manifest' | 'index' | 'other';
  /** What it says to be itself. */
  readonly artifactType: string | undefined;
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;

/**
 * Reads a manifest that was pushed.
 * @param value its bytes, parsed: whoever parsed them has refused what two readers may understand differently.
 * @param contentType what the request calls it. Default: what it calls itself.
 * @param largestBytes default: {@link MAX_OCI_MANIFEST_BYTES}.
 * @throws IngotError MANIFEST_INVALID naming the field, SIZE_INVALID.
 */
export function readManifest(
  bytes: Uint8Array,
  value: unknown,
  contentType: string | undefined,
  largestBytes = MAX_OCI_MANIFEST_BYTES,
): PushedManifest {
  if (bytes.byteLength > largestBytes) throw tooLarge(largestBytes);
  if (!isJsonObject(value)) throw invalid('it is no JSON object');
  const own = value.mediaType;
  if (own !== undefined && typeof own !== 'string') throw invalid('its mediaType is no text');
  const said = contentType?.replace(/\s*;.*$/s, '').toLowerCase();
  const mediaType = said ?? own;
  if (mediaType === undefined) throw invalid('neither the request nor the manifest says what type it has');
  if (own !== undefined && own.toLowerCase() !== mediaType)
    throw invalid(`it says to be ${own.slice(0, 100)} and was sent as ${mediaType.slice(0, 100)}`);
  if (SCHEMA_1.test(mediaType)) throw invalid("it is of Docker's schema 1, which names no contents");
  if (!isManifestType(mediaType)) return readOther(bytes, value, mediaType);
  try {
    const manifest = parseOciManifest({ bytes, mediaType }, largestBytes);
    const { artifactType, subject, annotations } = manifest;
    const isIndex = manifest.kind === 'index';
    return {
      bytes,
      mediaType,
      kind: manifest.kind,
      artifactType,
      config: isIndex ? undefined : manifest.config,
      layers: isIndex ? [] : manifest.layers,
      manifests: isIndex ? manifest.manifests : [],
      subject,
      annotations,
    };
  } catch (error) {
    if (isIngotError(error, 'invalid-package')) throw ociError('MANIFEST_INVALID', error.message, { cause: error });
    throw error;
  }
}

/** Refuses a body that is larger than any manifest. */
export function tooLarge(largestBytes: number) {
  return ociError('SIZE_INVALID', `a manifest has at most ${largestBytes} bytes here`, { status: 413 });
}

/** What is not known here names what it names, as far as it says so in the way of all manifests. */
function readOther(bytes: Uint8Array, value: { readonly [key: string]: JsonValue }, mediaType: string): PushedManifest {
  if (!JSON_TYPE.test(mediaType)) throw invalid(`${mediaType.slice(0, 100)} is no type of manifests`);
  const { artifactType, annotations } = value;
  const listed = [value.layers, value.blobs].flatMap((list) => (Array.isArray(list) ? list : []));
  const texts = isJsonObject(annotations) ? Object.entries(annotations) : [];
  return {
    bytes,
    mediaType,
    kind: 'other',
    artifactType: typeof artifactType === 'string' ? artifactType : undefined,
    config: descriptorIn(value.config),
    layers: listed.flatMap((entry) => descriptorIn(entry) ?? []),
    manifests: (Array.isArray(value.manifests) ? value.manifests : []).flatMap((entry) => descriptorIn(entry) ?? []),
    subject: descriptorIn(value.subject),
    annotations: Object.fromEntries(texts.flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : []))),
  };
}

function descriptorIn(value: unknown): Descriptor | undefined {
  try {
    return value === undefined ? undefined : parseDescriptor(value, 'descriptor');
  } catch (error) {
    if (isIngotError(error, 'invalid-package')) return undefined;
    throw error;
  }
}

/** What referrers are told apart by: what a manifest says to be, else what its config is. */
export function kindOfReferrer({ artifactType, config }: PushedManifest): string | undefined {
  return artifactType ?? config?.mediaType;
}

const NOT_HANDED_ON = /(?:nondistributable|rootfs\.foreign)/;

/** Whether it is a layer that nobody may hand on, which need not be there. */
export function mayBeAbsent({ mediaType }: Descriptor): boolean {
  return NOT_HANDED_ON.test(mediaType);
}

/** What must be in the repository before the manifest is: blobs and manifests, but for layers that nobody may hand on. */
export function neededBy(manifest: PushedManifest): {
  readonly blobs: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
} {
  if (manifest.kind === 'other') return { blobs: [], manifests: [] };
  const { config, layers, manifests } = manifest;
  const isManifest = ({ mediaType }: Descriptor): boolean => isManifestType(mediaType) || isIndexType(mediaType);
  return {
    blobs: [
      ...(config === undefined ? [] : [config]),
      ...layers.filter((layer) => !mayBeAbsent(layer)),
      ...manifests.filter((each) => !isManifest(each)),
    ],
    manifests: manifests.filter(isManifest),
  };
}

/** All that a manifest names, needed or not; a subject is none of it. */
export function namedBy({ config, layers, manifests }: PushedManifest): readonly Descriptor[] {
  return [...(config === undefined ? [] : [config]), ...layers, ...manifests];
}

/** The type of the manifests that a registry makes itself. */
export const INDEX_TYPE = OCI_MEDIA_TYPES.index;

function invalid(why: string) {
  return ociError('MANIFEST_INVALID', `the manifest cannot be taken: ${why}`);
}
