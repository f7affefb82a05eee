/** Tables of people and permission. Times are ISO 8601 in UTC, truth is 0 or 1, lists and objects lie as JSON text. */

/** Facts of which there is one each: `version` counts changes, `closed` is set by the first account and stays. */
export interface AccessFactRow {
  name: string;
  value: string;
}

export interface AccountRow {
  id: string;
  name: string;
  /** Argon2id in PHC form; null: signs in elsewhere. */
  password: string | null;
  /** Of OIDC: who vouches for it, and as what. */
  issuer: string | null;
  external_id: string | null;
  disabled: number;
  created_at: string;
  created_by: string;
}

export interface TokenRow {
  id: string;
  /** SHA-256 of the secret, in hex. */
  secret_hash: string;
  name: string;
  /** Whose it is; null: a service of its own, which may what its scopes say. */
  account_id: string | null;
  /** JSON list of grants that it is limited to; null: all that the account may. */
  scopes: string | null;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

export interface GrantRow {
  id: string;
  account_id: string;
  role: string;
  /** `*`, `team/` or a model's name. */
  scope: string;
  /** JSON list; null: all. */
  aliases: string | null;
  created_at: string;
  created_by: string;
}

export interface SessionRow {
  /** SHA-256 of what the cookie holds, in hex. */
  id: string;
  account_id: string;
  created_at: string;
  expires_at: string;
}

/** A sign-in through OIDC that has begun. */
export interface SignInRow {
  /** SHA-256 of the state or handle, in hex. */
  id: string;
  kind: string;
  /** JSON: verifier, nonce, where to return; or the device code. */
  data: string;
  expires_at: string;
}

/** Tables of this room. */
export interface AccessTables {
  access_facts: AccessFactRow;
  accounts: AccountRow;
  access_tokens: TokenRow;
  access_grants: GrantRow;
  access_sessions: SessionRow;
  access_sign_ins: SignInRow;
}
