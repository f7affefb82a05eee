/** The time, as the HTTP side needs it. */
export interface ServeClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment, with a fraction; never goes back. */
  monotonic(): number;
}

/** The machine's own clock. */
export const SYSTEM_CLOCK: ServeClock = { now: () => Date.now(), monotonic: () => performance.now() };
