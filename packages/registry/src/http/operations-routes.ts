import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Operations } from '../operations/operations.ts';
import type { Services } from '../services.ts';
import type { Protocol } from './app.ts';

const REQUEST_ID = 'ingot-request-id';
const GIVEN_ID = /^[\w.:@/+=-]{1,128}$/;

declare module 'fastify' {
  interface FastifyRequest {
    /** When its head was here, by the clock that only goes forward. */
    beganAt: number;
  }
}

/** Tells how the server is: `/healthz`, `/readyz`, `/metrics`. */
export function operationsRoutes(operations: Operations): Protocol {
  return (app, services) => healthRoutes(app, operations, services);
}

/** Counts and times every request, also those that the gate refuses, and where asked logs and traces them. */
export function watchRequests(operations: Operations): Protocol {
  return (app, services) => watch(app, operations, services);
}

/** The id of a request: the caller's own `X-Request-Id` where it is a plain word, else a new one. */
export function requestIdOf(header: string | string[] | undefined, fresh: () => string): string {
  return typeof header === 'string' && GIVEN_ID.test(header) ? header : fresh();
}

function watch(app: FastifyInstance, { metrics, readiness, traces, logRequests }: Operations, { log }: Services): void {
  app.decorateRequest('beganAt', 0);
  app.addHook('onRequest', async (request, reply) => {
    request.beganAt = performance.now();
    metrics.began();
    reply.header(REQUEST_ID, request.id);
    // A client that keeps its connection would send its next request into the closing of it.
    if (readiness.isDraining) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const seconds = (performance.now() - request.beganAt) / 1000;
    const ended = { method: request.method, route: routeOf(request), status: reply.statusCode, seconds };
    metrics.ended(ended);
    const requestId = request.id;
    if (logRequests) {
      const { identity } = request;
      const by = identity === undefined ? 'anonymous' : identity.name;
      const ms = Math.round(seconds * 1e5) / 100;
      log('info', 'request', { requestId, method: ended.method, route: ended.route, status: ended.status, ms, by });
    }
    const header = request.headers.traceparent;
    const traceparent = typeof header === 'string' ? header : undefined;
    traces?.ended({ ...ended, requestId, traceparent, beganAt: performance.timeOrigin + request.beganAt });
  });
}

// Paths of what is not there are text from outside: they would make as many series as there are attempts.
function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none';
}

function healthRoutes(app: FastifyInstance, { metrics, readiness }: Operations, { version, webhooks }: Services): void {
  const everybody = { access: 'public' } as const;
  app.get('/healthz', { config: everybody }, async (_request, reply) => reply.type('text/plain').send('OK'));
  app.get('/readyz', { config: everybody }, async (_request, reply) => {
    const { isReady, isDraining, storeSeconds, databaseSeconds, logProblems, logsBehind } = await readiness.state();
    const parts = {
      store: storeSeconds === undefined ? 'does not answer' : 'ok',
      database: databaseSeconds === undefined ? 'does not answer' : 'ok',
      index: { logProblems, logsBehind },
    };
    const status = isDraining ? 'draining' : isReady ? 'ready' : 'not ready';
    return reply.status(isReady ? 200 : 503).send({ status, version, ...parts });
  });
  app.get('/metrics', { config: { access: 'signed-in' } }, async (_request, reply) => {
    const state = await readiness.state();
    const webhooksWaiting = (await webhooks?.queue.waiting().catch(() => 0)) ?? 0;
    return reply.type(metrics.contentType).send(await metrics.text({ ...state, webhooksWaiting }));
  });
}
