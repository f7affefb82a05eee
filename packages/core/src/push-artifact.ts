/**
 * Pushes versions to where OCI contents lie: each as the ModelPack artifact that it is, byte for byte, so that its digest
 * stays. What a registry of Ingot's says of it besides goes along as one more artifact that refers to it.
 */

import { BUNDLE_TYPES, type BundleModel, encodeBundle, type VersionFacts } from './bundle-format.ts';
import type { VersionOrigin } from './capture.ts';
import { type Digest, digestOf } from './digest.ts';
import { asOciDigest, ociDigestOf } from './oci/digest.ts';
import { describeManifest, writeManifest } from './oci/manifest.ts';
import { OCI_ANNOTATIONS, OCI_MEDIA_TYPES } from './oci/media-types.ts';
import type { OciDigest, OciOptions, OciPlace, StoredManifest } from './oci/oci-place.ts';
import { type HashedFile, MEDIA_TYPES } from './package/manifest.ts';
import type { ManifestDescription } from './package/manifest-read.ts';
import { packTar } from './package/tar.ts';
import type { ModelName } from './ref.ts';

/** Media type of what a registry says of a version, and of the artifact that holds it. */
export const VERSION_TYPE = 'application/vnd.ingot.version.v1+json';

/** A version that is pushed: its documents, and its files to be read. */
export interface PushedVersion {
  readonly manifest: Uint8Array;
  readonly config: Uint8Array;
  readonly description: ManifestDescription;
  /** Opens a file of the package; again for another attempt. */
  open(file: HashedFile): AsyncIterable<Uint8Array>;
  /** What its registry says of it. Default: nothing is told besides. */
  readonly told?: {
    readonly name: ModelName;
    readonly origin: VersionOrigin;
    readonly facts: VersionFacts;
    /** Aliases that name it. */
    readonly aliases: readonly string[];
    /** The captured document. */
    readonly captured?: Uint8Array;
  };
}

/** Options of {@link pushArtifact}. */
export interface PushArtifactOptions extends OciOptions {
  /** What it is to be found by, each. */
  readonly tags: readonly string[];
  /** Another repository of the place that may lend contents. */
  readonly from?: string;
}

/** What pushing an artifact came to. */
export interface PushedArtifact {
  readonly digest: OciDigest;
  /** The artifact that tells of the version, where there is one. */
  readonly told?: OciDigest;
  /** Bytes sent, and bytes that were there already or lent. */
  readonly newBytes: number;
  readonly storedBytes: number;
}

/**
 * Pushes a version: contents, then its manifest under all tags, then what is told of it.
 * @throws IngotError as the place does.
 */
export async function pushArtifact(
  version: PushedVersion,
  to: OciPlace,
  options: PushArtifactOptions,
): Promise<PushedArtifact> {
  const { tags, from, ...call } = options;
  let [newBytes, storedBytes] = [0, 0];
  const put = async (digest: Digest, size: number, open: () => AsyncIterable<Uint8Array>): Promise<void> => {
    const blob = { digest: asOciDigest(digest), size };
    const state = await to.putBlob(blob, open, { ...call, ...(from === undefined ? {} : { from }) });
    if (state === 'created') newBytes += size;
    else storedBytes += size;
  };
  const { description, manifest, config } = version;
  for (const layer of description.layers) {
    const { kind, digest, sizeBytes } = layer;
    if (kind === 'raw') await put(digest, sizeBytes, () => version.open(layer.file));
    else
      await put(digest, sizeBytes, () =>
        packTar(layer.files.map((file) => ({ ...file, open: () => version.open(file) }))),
      );
  }
  await put(description.config, config.byteLength, () => once(config));
  const stored: StoredManifest = { bytes: manifest, mediaType: MEDIA_TYPES.manifest, digest: ociDigestOf(manifest) };
  for (const tag of tags.length === 0 ? [undefined] : tags)
    await to.putManifest(stored, tag === undefined ? call : { ...call, tag });
  const told = version.told === undefined ? undefined : await tell(stored, version.told, to, call);
  return { digest: stored.digest, newBytes, storedBytes, ...(told === undefined ? {} : { told }) };
}

async function tell(
  subject: StoredManifest,
  { name, origin, facts, aliases, captured }: NonNullable<PushedVersion['told']>,
  to: OciPlace,
  call: OciOptions,
): Promise<OciDigest> {
  const contents =
    captured === undefined
      ? []
      : [{ role: 'captured' as const, digest: digestOf(captured), sizeBytes: captured.byteLength }];
  const model: BundleModel = {
    name,
    aliases: Object.fromEntries(aliases.map((alias) => [alias, origin.number])),
    versions: [{ origin, facts, contents }],
  };
  const document = encodeBundle({ models: [model] });
  const config = { mediaType: OCI_MEDIA_TYPES.empty, bytes: Buffer.from('{}') };
  const layers = [
    { mediaType: VERSION_TYPE, bytes: document, title: 'version.json' },
    ...(captured === undefined ? [] : [{ mediaType: BUNDLE_TYPES.captured, bytes: captured, title: 'captured.json' }]),
  ];
  for (const { bytes } of [config, ...layers])
    await to.putBlob({ digest: ociDigestOf(bytes), size: bytes.byteLength }, () => once(bytes), call);
  const manifest = writeManifest({
    artifactType: VERSION_TYPE,
    config: { mediaType: config.mediaType, digest: ociDigestOf(config.bytes), size: config.bytes.byteLength },
    layers: layers.map(({ mediaType, bytes, title }) => ({
      mediaType,
      digest: ociDigestOf(bytes),
      size: bytes.byteLength,
      annotations: { [OCI_ANNOTATIONS.title]: title },
    })),
    subject: describeManifest(subject),
  });
  await to.putManifest(manifest, call);
  return manifest.digest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}
