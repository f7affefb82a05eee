/** The time, as the HTTP side needs it. */
export interface ServeClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment, with a fraction; never goes back. Default: the process's own. */
  monotonic?(): number;
}

/** Milliseconds, with a fraction, that never go back. */
export function monotonicOf(clock: ServeClock): () => number {
  return clock.monotonic === undefined ? () => performance.now() : () => clock.monotonic?.() ?? performance.now();
}
