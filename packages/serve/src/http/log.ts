import type { JsonValue } from '@ingot/core/json';

/** Where the HTTP side says what went wrong on the server's side. */
export type ServeLog = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, JsonValue>>,
) => void;

/** A log that keeps nothing. */
export const SILENT_LOG: ServeLog = () => undefined;
