import type { Log } from '../log.ts';
import type { ModelHost } from '../model-host.ts';
import type { ServeClock } from './clock.ts';
import type { ServeLimits } from './limits.ts';
import type { ServeMetrics } from './metrics.ts';
import type { Statistics } from './statistics.ts';

/** What every request of one server shares. */
export interface ServeContext {
  readonly host: ModelHost;
  readonly limits: ServeLimits;
  readonly metrics: ServeMetrics;
  readonly statistics: Statistics;
  readonly clock: ServeClock;
  readonly monotonic: () => number;
  readonly log: Log;
  /** The server's own version, as `/v2` tells it. */
  readonly version: string;
  /** True once the server was asked to close: connections are ended, readiness is denied. */
  draining(): boolean;
}
