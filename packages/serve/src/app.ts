/**
 * The *app* is the HTTP side of the model server: it turns requests of every protocol into predictions of a
 * {@link ModelHost} and their answers into replies. It knows no store and no registry.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type ServeClock, monotonicOf } from './http/clock.ts';
import type { ServeContext } from './http/context.ts';
import { Exchange } from './http/exchange.ts';
import { DEFAULT_LIMITS, type ServeLimits } from './http/limits.ts';
import { createListener } from './http/listener.ts';
import { type ServeMetrics, createServeMetrics } from './http/metrics.ts';
import { sendError } from './http/reply.ts';
import { WrongMethod, createRouter } from './http/router.ts';
import { allRoutes } from './http/routes.ts';
import { Statistics } from './http/statistics.ts';
import { systemClock } from './clock.ts';
import type { Log } from './log.ts';
import type { ModelHost } from './model-host.ts';

/** What an app is made of. */
export interface AppOptions {
  readonly host: ModelHost;
  /** Default {@link DEFAULT_LIMITS}; single ones may be given. */
  readonly limits?: Partial<ServeLimits>;
  /** Default: metrics in a registry of their own. */
  readonly metrics?: ServeMetrics;
  /** Default: the machine's time. */
  readonly clock?: ServeClock;
  /** Default: none. */
  readonly log?: Log;
  /** The server's own version, as `/v2` tells it. Default `0.0.0`. */
  readonly version?: string;
}

/** The HTTP side of the model server. */
export interface App {
  /** Answers one request, for servers of one's own. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** The node:http server with all limits set; made once. Call `listen` on it. */
  server(): Server;
  /** Counts that a version was loaded, or could not be. */
  loaded(model: string, version: string, result: 'ok' | 'failed', seconds: number): void;
  /** Denies readiness, answers on for `lingerMs`, stops accepting, lets requests in flight end, then cuts the rest. */
  close(options?: CloseOptions): Promise<void>;
}

/** How an app ends. */
export interface CloseOptions {
  /** How long requests in flight may take. Default: 10 s. */
  readonly drainMs?: number;
  /**
   * How long it still answers, with the word that each connection ends: a client that keeps its connection would send its
   * next request into the closing of it. Default: not at all.
   */
  readonly lingerMs?: number;
}

/**
 * Makes the HTTP side of a model server.
 *
 * @example
 * const app = createApp({ host, version: '1.0.0' });
 * app.server().listen(8080, '127.0.0.1');
 */
export function createApp(options: AppOptions): App {
  let draining = false;
  const clock = options.clock ?? systemClock;
  const metrics = options.metrics ?? createServeMetrics();
  metrics.watch(options.host);
  const context: ServeContext = {
    host: options.host,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    metrics,
    statistics: new Statistics(),
    clock,
    monotonic: monotonicOf(clock),
    log: options.log ?? (() => undefined),
    version: options.version ?? '0.0.0',
    draining: () => draining,
  };
  const router = createRouter(allRoutes(), () => options.host.models());
  const handle = (request: IncomingMessage, response: ServerResponse): void =>
    dispatch(context, router, request, response);
  let listener: Server | undefined;

  return {
    handle,
    loaded: (model, version, result, seconds) => metrics.loaded(model, version, result, seconds),
    server() {
      listener ??= createListener(handle, context.limits);
      return listener;
    },
    async close({ drainMs = 10_000, lingerMs = 0 } = {}) {
      draining = true;
      if (listener?.listening === true && lingerMs > 0) await new Promise((resolve) => setTimeout(resolve, lingerMs));
      if (listener !== undefined) await drain(listener, drainMs);
    },
  };
}

function dispatch(
  context: ServeContext,
  router: ReturnType<typeof createRouter>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  context.metrics.started();
  const exchange = new Exchange(context, request, response);
  try {
    router
      .find(exchange)(exchange)
      ?.catch((thrown: unknown) => fail(exchange, thrown));
  } catch (thrown) {
    fail(exchange, thrown);
  }
}

function fail(exchange: Exchange, thrown: unknown): void {
  if (thrown instanceof WrongMethod)
    sendError(exchange, thrown.error, { status: 405, headers: ['allow', thrown.allowed.join(', ')] });
  else sendError(exchange, thrown);
}

async function drain(server: Server, drainMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), drainMs);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await closed;
  clearTimeout(cut);
}
