/** Tables of blobs and of uploads that are under way. Times are ISO 8601 in UTC. */

/** A blob of a repository: who does not see the row does not have the blob, whatever lies in the store. */
export interface OciBlobRow {
  repository: string;
  /** As whoever pushed it named it: `sha256:…` or `sha512:…`. */
  digest: string;
  /** SHA-256 of the same bytes, by which the store knows them. */
  content: string;
  size_bytes: number;
  /** The holding that has its bytes; null: they are in the row. */
  holding: string | null;
  bytes: Uint8Array | null;
  /** When it was last pushed, mounted, or, to a day, asked for. */
  at: string;
}

/** An upload that was begun and not finished. */
export interface OciUploadRow {
  id: string;
  repository: string;
  size_bytes: number;
  /** How many parts it has in the store. */
  parts: number;
  /** What came, while it is little; such an upload has no parts. */
  bytes: Uint8Array | null;
  at: string;
}

/** Bytes of an upload that are durable: one content of a holding. */
export interface OciUploadPartRow {
  upload: string;
  number: number;
  content: string;
  size_bytes: number;
  holding: string;
}

/** Tables of this part of the room. */
export interface OciBlobTables {
  oci_blobs: OciBlobRow;
  oci_uploads: OciUploadRow;
  oci_upload_parts: OciUploadPartRow;
}
