/** Tables of the audit. Times are ISO 8601 in UTC, truth is 0 or 1, lists and objects lie as JSON text. */

/** Something that happened at the server's door; each names the digest of the one before it in its chain. */
export interface AccessEventRow {
  /** One chain for each start of a server. */
  chain: string;
  seq: number;
  digest: string;
  at: string;
  kind: string;
  actor: string;
  /** Of a model, where it is about one. */
  model: string | null;
  /** JSON: the whole event, whose SHA-256 with `previous` in it is the digest. */
  event: string;
}

/** An event of a log that this server was about to write, and whether whoever asked for it had proved who they are. */
export interface WrittenEventRow {
  log: string;
  seq: number;
  digest: string;
  authenticated: number;
}

export interface SigningKeyRow {
  /** SHA-256 of the public key. */
  id: string;
  /** PEM. */
  public_key: string;
  /** PEM, PKCS#8. */
  private_key: string;
  created_at: string;
}

/** A signed statement of what the logs' last events were. */
export interface CheckpointRow {
  number: number;
  at: string;
  key_id: string;
  /** JSON, as it was signed. */
  payload: string;
  /** Base64. */
  signature: string;
}

/** The last event of each log that was signed. */
export interface SignedHeadRow {
  log: string;
  seq: number;
  digest: string;
}

/** A move of a protected alias that no server made. */
export interface ForeignMoveRow {
  model_id: string;
  alias: string;
  seq: number;
  digest: string;
  actor: string;
  at: string;
  from_number: number | null;
  to_number: number | null;
  /** `flagged`: not followed; `accepted`: somebody who may has said that it counts. */
  state: string;
}

/** Moves of protected aliases that this server is about to write. */
export interface IntendedMoveRow {
  id: string;
  model_id: string;
  alias: string;
  to_number: number | null;
  at: string;
}

/** Tables of this room. */
export interface AuditTables {
  access_events: AccessEventRow;
  audit_written: WrittenEventRow;
  audit_keys: SigningKeyRow;
  audit_checkpoints: CheckpointRow;
  audit_signed_heads: SignedHeadRow;
  audit_foreign_moves: ForeignMoveRow;
  audit_intended_moves: IntendedMoveRow;
}
