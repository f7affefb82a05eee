/**
 * Tables of manifests and tags that were pushed to repositories. Digests lie as text; times are ISO 8601 in UTC. What
 * versions of models have is not here but in the store; of what was pushed and became a version the bytes are.
 */

/** A manifest, an index, or whatever else was pushed to where manifests are. */
export interface OciManifestRow {
  repository: string;
  sha256: string;
  sha512: string;
  /** What it was called when it was pushed: one of the two. */
  digest: string;
  media_type: string;
  bytes: Uint8Array;
  size_bytes: number;
  /** Digest of what it says something about. */
  subject: string | null;
  /** Its kind as referrers are told apart: its own, or that of its config. */
  artifact_type: string | null;
  /** JSON. */
  annotations: string;
  /** The version that it became; null: it is no model. */
  model_id: string | null;
  number: number | null;
  at: string;
  by: string;
}

/** What a manifest names: blobs and other manifests. */
export interface OciManifestContentRow {
  repository: string;
  /** SHA-256 of the manifest. */
  manifest: string;
  /** As it is named there. */
  digest: string;
}

/** A tag of what is no model. */
export interface OciTagRow {
  repository: string;
  tag: string;
  /** SHA-256 of the manifest. */
  manifest: string;
  /** What the manifest is called when it is asked for by this tag. */
  digest: string;
  at: string;
  by: string;
}

/** What a version has besides its files: its config, and its tars, which are made when they are read. */
export interface OciVersionContentRow {
  model_id: string;
  number: number;
  digest: string;
}

/** What the room of manifests remembers of itself. */
export interface OciSettingRow {
  name: string;
  value: string;
}

/** Tables of manifests. */
export interface OciManifestTables {
  oci_manifests: OciManifestRow;
  oci_manifest_contents: OciManifestContentRow;
  oci_tags: OciTagRow;
  oci_version_contents: OciVersionContentRow;
  oci_settings: OciSettingRow;
}
