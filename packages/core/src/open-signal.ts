import { setMaxListeners } from 'node:events';

/** A signal that its owner fires, and that fires with others. */
export interface OpenSignal {
  readonly signal: AbortSignal;
  /** Fires it. */
  end(reason?: unknown): void;
}

/**
 * Makes a signal that fires when some other does, or when its owner says so. Any number may listen to it: whatever is
 * under way does, and that is no leak, of which Node would warn people who can do nothing about it.
 * @param others undefined ones count for nothing.
 * @example
 * const { signal, end } = openSignal(options.signal);
 */
export function openSignal(...others: readonly (AbortSignal | undefined)[]): OpenSignal {
  const controller = new AbortController();
  const given = others.filter((each) => each !== undefined);
  const signal = given.length === 0 ? controller.signal : AbortSignal.any([...given, controller.signal]);
  setMaxListeners(0, signal);
  return { signal, end: (reason) => controller.abort(reason) };
}
