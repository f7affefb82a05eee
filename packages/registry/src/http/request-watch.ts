import { randomFillSync } from 'node:crypto';
import type { Operations } from '../operations/operations.ts';
import type { Log } from '../services.ts';

/** Every answer says which request it is of. */
export const REQUEST_ID = 'ingot-request-id';

const GIVEN_ID = /^[\w.:@/+=-]{1,128}$/;

/** The id of a request: the caller's own `X-Request-Id` where it is a plain word, else a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && GIVEN_ID.test(header) ? header : freshId();
}

const ID_BYTES = 8;
const IDS_AT_ONCE = Buffer.alloc(512 * ID_BYTES);
let used = IDS_AT_ONCE.length;

// Asking the system for random bytes once for many ids: it is what a small request would spend most on.
function freshId(): string {
  if (used === IDS_AT_ONCE.length) {
    randomFillSync(IDS_AT_ONCE);
    used = 0;
  }
  used += ID_BYTES;
  return IDS_AT_ONCE.toString('hex', used - ID_BYTES, used);
}

/** A request that has been answered. The route is as it was declared, never text from outside. */
export interface WatchedRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly requestId: string;
  /** Name of who asked. */
  readonly by: string;
  readonly traceparent: string | undefined;
  /** When its head was here, by the clock that only goes forward. */
  readonly beganAt: number;
}

/** Counts and times requests, and where asked logs and traces them. */
export interface RequestWatch {
  /** Whether the server is about to stop. */
  readonly isDraining: boolean;
  began(): void;
  ended(request: WatchedRequest): void;
}

/** Makes the watch over requests. */
export function createRequestWatch({ metrics, readiness, traces, logRequests }: Operations, log: Log): RequestWatch {
  return {
    get isDraining() {
      return readiness.isDraining;
    },
    began: () => metrics.began(),
    ended({ method, route, status, requestId, by, traceparent, beganAt }) {
      const seconds = (performance.now() - beganAt) / 1000;
      metrics.ended({ method, route, status, seconds });
      if (logRequests)
        log('info', 'request', { requestId, method, route, status, ms: Math.round(seconds * 1e5) / 100, by });
      traces?.ended({
        method,
        route,
        status,
        seconds,
        requestId,
        traceparent,
        beganAt: performance.timeOrigin + beganAt,
      });
    },
  };
}
