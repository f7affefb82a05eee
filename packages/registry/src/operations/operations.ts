/** The room of operations: what tells those who run the server how it is. */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import type { Database } from '../database/database.ts';
import type { Log } from '../services.ts';
import { createServerMetrics, type ServerMetrics } from './metrics.ts';
import { Readiness } from './readiness.ts';
import { openTraces, type TraceOptions, type Traces } from './traces.ts';

/** What the room is opened with. */
export interface OperationsOptions {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly version: string;
  readonly log: Log;
  /** Writes a line for each request. Default: only failures are told. */
  readonly logRequests?: boolean;
  /** Where traces go. Default: nowhere. */
  readonly traces?: Omit<TraceOptions, 'version' | 'warn'> | undefined;
}

/** How the server is. */
export interface Operations extends AsyncDisposable {
  readonly metrics: ServerMetrics;
  readonly readiness: Readiness;
  readonly traces: Traces | undefined;
  readonly logRequests: boolean;
}

/** Opens the room. */
export function openOperations(options: OperationsOptions): Operations {
  const { database, blobs, version, log, logRequests = false } = options;
  const warn = (message: string): void => log('warn', message);
  const traces = options.traces === undefined ? undefined : openTraces({ ...options.traces, version, warn });
  return {
    metrics: createServerMetrics(version),
    readiness: new Readiness({ database, blobs }),
    traces,
    logRequests,
    [Symbol.asyncDispose]: async () => traces?.[Symbol.asyncDispose](),
  };
}
