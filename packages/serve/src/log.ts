import type { JsonValue } from '@ingot/core/json';

/** Receives the model server's log lines; must be fast and must not throw. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  facts?: Readonly<Record<string, JsonValue>>,
) => void;
