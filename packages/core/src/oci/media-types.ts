/** Media types of what lies in registries. Source: image-spec, media-types.md; Docker's manifests of version 2, schema 2. */

/** Media types by what they are. */
export const OCI_MEDIA_TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

/** Annotations that image-spec and containerd define and that are read or written here. */
export const OCI_ANNOTATIONS = {
  refName: 'org.opencontainers.image.ref.name',
  title: 'org.opencontainers.image.title',
  created: 'org.opencontainers.image.created',
  /** What containerd, and Docker over it, calls an image of a layout: `docker.io/library/churn:7`. */
  imageName: 'io.containerd.image.name',
} as const;

const INDEXES: readonly string[] = [OCI_MEDIA_TYPES.index, OCI_MEDIA_TYPES.dockerIndex];
const MANIFESTS: readonly string[] = [OCI_MEDIA_TYPES.manifest, OCI_MEDIA_TYPES.dockerManifest];

/** Every kind of manifest that is understood, as an `Accept` header names them. */
export const MANIFEST_TYPES: readonly string[] = [...MANIFESTS, ...INDEXES];

/** Says whether contents of this type list manifests of several platforms. */
export function isIndexType(mediaType: string): boolean {
  return INDEXES.includes(mediaType);
}

/** Says whether contents of this type are a manifest or an index. */
export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}

/** How the tar of a layer is packed. */
export type LayerPacking = 'none' | 'gzip' | 'zstd';

/**
 * Says how the tar of a layer is packed, by its media type; undefined when it is no tar at all (a `.raw` layer, an
 * attestation). Layers that are not to be handed on count as those they stand for.
 *
 * @example
 * packingOf('application/vnd.oci.image.layer.v1.tar+gzip'); // 'gzip'
 */
export function packingOf(mediaType: string): LayerPacking | undefined {
  const bare = mediaType.replace(/\s*;.*$/s, '').toLowerCase();
  if (/(?:\.tar|\+tar|rootfs\.(?:foreign\.)?diff\.tar)$/.test(bare) || bare === 'application/x-tar') return 'none';
  if (/\.tar[.+]gzip$/.test(bare)) return 'gzip';
  if (/\.tar[.+]zstd$/.test(bare)) return 'zstd';
  return undefined;
}

/** How clients of artifacts say that a layer is a folder that they have packed. */
const UNPACK = 'io.deis.oras.content.unpack';

/**
 * Says whether a named layer of an artifact is a folder that was packed. The Python client of oras says so by the type
 * alone; a name that is that of an archive is the archive's own.
 */
export function isPackedFolder(mediaType: string, annotations: Readonly<Record<string, string>> = {}): boolean {
  const { [UNPACK]: unpack, [OCI_ANNOTATIONS.title]: title = '' } = annotations;
  if (unpack !== undefined) return unpack.toLowerCase() === 'true';
  return mediaType === OCI_MEDIA_TYPES.layerGzip && title !== '' && !/\.(?:tgz|gz|tar)$/i.test(title);
}
