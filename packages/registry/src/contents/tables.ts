/** Tables of what clients send and read through the server. All but `uploads` can be found out again from the store. */

/** An upload that somebody has begun: only they may write to it. */
export interface UploadRow {
  id: string;
  /** Name of the identity that began it. */
  owner: string;
  /** Milliseconds. */
  at: number;
}

/** A pack that went straight to the storage, so that nobody has looked at its bytes yet. */
export interface UncheckedPackRow {
  pack: string;
  upload: string;
}

/** A model whose versions rely on a pack. */
export interface PackModelRow {
  pack: string;
  model_id: string;
}

/** A version whose recipe was read into `pack_models` and `pieces`. */
export interface NotedVersionRow {
  model_id: string;
  number: number;
}

/** A piece that some version has, and where it lies. */
export interface PieceRow {
  digest: string;
  pack: string;
  offset: number;
  length: number;
  coding: string | null;
  size_bytes: number | null;
}

/** All tables of this room. */
export interface ContentTables {
  uploads: UploadRow;
  unchecked_packs: UncheckedPackRow;
  pack_models: PackModelRow;
  noted_versions: NotedVersionRow;
  pieces: PieceRow;
}
