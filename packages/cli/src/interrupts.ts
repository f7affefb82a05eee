import { setMaxListeners } from 'node:events';

/** A second signal within this time is taken for the same one. */
const ECHO_MS = 500;

/** How a process is told to stop. */
export interface Interrupts {
  /** Fires on Ctrl-C, and on SIGTERM. */
  readonly signal: AbortSignal;
  /** The exit status that the signal asks for; undefined before one came. */
  readonly status: number | undefined;
}

/** Listens to the signals of this process; a second one ends it at once. */
export function interruptsOfProcess(): Interrupts {
  const interrupt = new AbortController();
  // Every request that is under way listens to it: many are no leak.
  setMaxListeners(0, interrupt.signal);
  let signalled: number | undefined;
  let signalledAt = 0;
  for (const [name, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(name, () => {
      // Ctrl-C under npx, or a TERM by `timeout`, comes twice at once: to the group, and passed on by the parent.
      if (signalled !== undefined && performance.now() - signalledAt < ECHO_MS) return;
      if (signalled !== undefined) process.exit(signalled);
      signalled = status;
      signalledAt = performance.now();
      interrupt.abort();
    });
  }
  return {
    signal: interrupt.signal,
    get status() {
      return signalled;
    },
  };
}
