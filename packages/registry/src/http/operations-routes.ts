import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Operations } from '../operations/operations.ts';
import type { Services } from '../services.ts';
import type { Protocol } from './app.ts';
import { REQUEST_ID, type RequestWatch } from './request-watch.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** When its head was here, by the clock that only goes forward. */
    beganAt: number;
    /** Whether its end was told. */
    hasEnded: boolean;
  }
}

/** Tells how the server is: `/healthz`, `/readyz`, `/metrics`. */
export function operationsRoutes(operations: Operations): Protocol {
  return (app, services) => healthRoutes(app, operations, services);
}

/** Counts and times every request, also those that the gate refuses, and where asked logs and traces them. */
export function watchRequests(app: FastifyInstance, watch: RequestWatch): void {
  app.decorateRequest('beganAt', 0);
  app.decorateRequest('hasEnded', false);
  app.addHook('onRequest', async (request, reply) => {
    request.beganAt = performance.now();
    watch.began();
    reply.header(REQUEST_ID, request.id);
    // A client that keeps its connection would send its next request into the closing of it.
    if (watch.isDraining) reply.header('connection', 'close');
    // Of an answer that nobody waits for any more, no hook is told.
    reply.raw.once('close', () => ended(watch, request, reply.raw.writableFinished ? reply.statusCode : CLIENT_GONE));
  });
  app.addHook('onResponse', async (request, reply) => ended(watch, request, reply.statusCode));
}

/** As logs of other servers have it. */
const CLIENT_GONE = 499;

function ended(watch: RequestWatch, request: FastifyRequest, status: number): void {
  if (request.hasEnded) return;
  request.hasEnded = true;
  const { method, id: requestId, identity, beganAt } = request;
  const { traceparent } = request.headers;
  watch.ended({
    method,
    route: routeOf(request),
    status,
    requestId,
    by: identity === undefined ? 'anonymous' : identity.name,
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    beganAt,
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
