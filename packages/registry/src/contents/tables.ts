/** Tables of what clients send and read through the server. All but `uploads` can be found out again from the store. */

/** An upload that somebody has begun: only they may write to it. */
export interface UploadRow {
  id: string;
  /** Whose grants count for it: `account:<id>`, `token:<id>`; a name where nobody signs in. */
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

/** A model whose version an upload became: its readers may read all that the upload wrote. */
export interface UploadHomeRow {
  upload: string;
  model_id: string;
}

/** Bytes of a pack that a model relies on, though an upload to another model wrote the pack. */
export interface SharedSpanRow {
  pack: string;
  model_id: string;
  start_at: number;
  end_at: number;
}

/** A page whose pieces were read into `pieces` and `shared_spans` for a model. */
export interface NotedPageRow {
  model_id: string;
  page: string;
}

/** All tables of this room. */
export interface ContentTables {
  uploads: UploadRow;
  unchecked_packs: UncheckedPackRow;
  pack_models: PackModelRow;
  noted_versions: NotedVersionRow;
  pieces: PieceRow;
  upload_homes: UploadHomeRow;
  shared_spans: SharedSpanRow;
  noted_pages: NotedPageRow;
}
