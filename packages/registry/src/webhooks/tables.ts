/** Tables of webhooks. Times are milliseconds since 1970; lists lie as JSON text. */

export interface WebhookRow {
  id: string;
  name: string;
  url: string;
  /** `cloudevents`, or `mlflow`: whose payloads and headers it gets. */
  format: string;
  /** JSON: patterns of event types, `alias.*`. */
  events: string;
  /** JSON: names of models, `team/` for a namespace; null: all. */
  models: string | null;
  description: string | null;
  /** Encrypted; null: deliveries are not signed. */
  secret: string | null;
  /** The secret before, encrypted: deliveries are signed with it, too, until `previous_until`. */
  previous_secret: string | null;
  previous_until: number | null;
  /** `active` or `disabled`. */
  status: string;
  /** Why the server has disabled it; null where a person did. */
  disabled_because: string | null;
  /** Attempts that failed in a row. */
  failures: number;
  created_at: number;
  created_by: string;
  updated_at: number;
}

/** One event on its way to one webhook, and afterwards the record of it. */
export interface DeliveryRow {
  id: string;
  webhook_id: string;
  /** Names the event: with `webhook_id` it is there once. */
  event_id: string;
  event_type: string;
  /** JSON, as it is sent. */
  payload: string;
  /** `waiting`, `delivered`, `failed`. */
  state: string;
  attempts: number;
  /** When it may be tried next. */
  next_at: number;
  /** Until when a server has it in its hands. */
  leased_until: number;
  created_at: number;
  finished_at: number | null;
  /** Of the last attempt. */
  status_code: number | null;
  error: string | null;
}

/** How far the feed of events was looked at. */
export interface WebhookCursorRow {
  name: string;
  position: string;
}

/** Which key secrets are sealed with. One row. */
export interface SecretKeyRow {
  name: string;
  /** Only who has the key can make it. */
  fingerprint: string;
  /** `HOST:PATH` of its file, where it was seen first. */
  place: string;
  at: string;
}

/** Tables of this room. */
export interface WebhookTables {
  webhooks: WebhookRow;
  webhook_deliveries: DeliveryRow;
  webhook_cursors: WebhookCursorRow;
  secret_keys: SecretKeyRow;
}
