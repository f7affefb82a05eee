/** One use of an `Idempotency-Key`. While `status` is null the request is being done. */
export interface IdempotencyKeyRow {
  /** Who asked. */
  identity: string;
  key: string;
  /** Digest of method, address and body. */
  fingerprint: string;
  status: number | null;
  /** JSON. */
  headers: string | null;
  body: string | null;
  begun_ms: number;
}

/** Tables of this room. */
export interface IdempotencyTables {
  idempotency_keys: IdempotencyKeyRow;
}
