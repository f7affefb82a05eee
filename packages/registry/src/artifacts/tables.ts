/**
 * Tables of the artifacts: a tree of paths in which every file is a content of the store, or lies *staged* in the
 * database until it is moved there. Paths are `/`-separated; times are ISO 8601 in UTC; truth is 0 or 1.
 */

/** A file or directory. */
export interface ArtifactNodeRow {
  path: string;
  /** Path of the directory that it is in; empty at the top. */
  parent: string;
  name: string;
  is_directory: number;
  /** Of a file. */
  digest: string | null;
  size_bytes: number | null;
  /** The holding that has its bytes; null: they are staged, or it is a directory. */
  holding: string | null;
  at: string;
}

/** Bytes of a small file that is in no pack yet. */
export interface ArtifactStagedRow {
  path: string;
  digest: string;
  size_bytes: number;
  bytes: Uint8Array;
  at: string;
}

/** A recipe that has bytes of files or a package, and the root that keeps it. */
export interface ArtifactHoldingRow {
  id: string;
  /** JSON of the `RecipeRef`. */
  recipe: string;
  /** Key in the store. */
  root: string;
  at: string;
}

/** What was made of a directory, so that it can be published as a version. */
export interface ArtifactPackageRow {
  /** Path of the directory. */
  source: string;
  /** Tells whether the directory is what it was. */
  tree: string;
  holding: string;
  /** JSON of what the event of a version says, without its recipe. */
  stored: string;
  at: string;
}

/** A file that comes in parts. */
export interface ArtifactUploadRow {
  id: string;
  path: string;
  parts: number;
  at: string;
}

/** A part that came. */
export interface ArtifactPartRow {
  upload: string;
  number: number;
  digest: string;
  size_bytes: number;
  /** Null: its bytes are in the row. */
  holding: string | null;
  bytes: Uint8Array | null;
}

/** What the room remembers of itself: its own id, and the key that signs addresses. */
export interface ArtifactSettingRow {
  name: string;
  value: string;
}

/** Tables of this room. */
export interface ArtifactTables {
  artifact_nodes: ArtifactNodeRow;
  artifact_staged: ArtifactStagedRow;
  artifact_holdings: ArtifactHoldingRow;
  artifact_packages: ArtifactPackageRow;
  artifact_uploads: ArtifactUploadRow;
  artifact_parts: ArtifactPartRow;
  artifact_settings: ArtifactSettingRow;
}
