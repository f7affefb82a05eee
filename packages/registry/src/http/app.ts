import { createServer, type RequestListener, type Server } from 'node:http';
import { IngotError } from '@ingot/core/errors';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Services } from '../services.ts';
import { fromFramework, refuseConnection } from './framework-errors.ts';
import { withoutHiddenNames } from './hidden-names.ts';
import { parseJsonBody, textOfJson } from './json-body.ts';
import { createFastLane } from './fast-lane.ts';
import { KeptReplies, keepReplies } from './kept-replies.ts';
import { knowPaths } from './known-paths.ts';
import { watchRequests } from './operations-routes.ts';
import { errorOf, problemOf } from './problem.ts';
import { type RequestWatch, requestIdOf } from './request-watch.ts';
import { type Gate, type GuardedRoute, guardRoutes } from './route-access.ts';
import { refuseSlowBodies } from './slow-bodies.ts';

/** A protocol of the server: registers its routes. */
export type Protocol = (app: FastifyInstance, services: Services) => Promise<void> | void;

/** How a protocol refuses an address that no route gets, because nobody can read it. */
export interface Refusal {
  /** What its addresses begin with: `/v2/`. */
  readonly below: string;
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply;
}

/** What the application is made of. */
export interface AppOptions {
  readonly services: Services;
  readonly gate: Gate;
  /** Counts and times every request, before the gate. Default: nothing does. */
  readonly watch?: RequestWatch;
  readonly protocols: readonly Protocol[];
  /** Protocols that refuse what is no address in their own words. Default: a problem is answered. */
  readonly refusals?: readonly Refusal[];
  /** Largest JSON body, in bytes. Default: 1 MiB; routes that take files say their own. */
  readonly bodyLimit?: number;
  /** Addresses of reverse proxies whose word counts for where a request came from. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** Is told of every route. Default: nobody is. */
  readonly onRoute?: (route: GuardedRoute) => void;
  /** Connections at once; more are closed. Default: 4,096. */
  readonly maxConnections?: number;
}

const MIB = 1024 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 72_000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 4096;

/** Makes the HTTP application: routes of all protocols behind one gate, problems as `application/problem+json`. */
export async function createRegistryApp(options: AppOptions): Promise<FastifyInstance> {
  const { services, gate, watch } = options;
  const kept = new KeptReplies();
  const lane = createFastLane({ kept, gate, index: services.index, watch: watch ?? UNWATCHED });
  const app = fastify({
    bodyLimit: options.bodyLimit ?? MIB,
    trustProxy: options.trustedProxies === undefined ? false : [...options.trustedProxies],
    serverFactory: (listener) =>
      serverOf((request, response) => {
        if (!lane(request, response)) listener(request, response);
      }),
    routerOptions: { maxParamLength: 2048, ignoreTrailingSlash: false, caseSensitive: true },
    // What comes on a connection that is still open is answered; then it is closed.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => {
      const own = options.refusals?.find(({ below }) => request.raw.url?.startsWith(below));
      return own === undefined ? sendProblem(services, error, request, reply) : own.answer(error, request, reply);
    },
    logger: false,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
  });
  app.server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  app.setErrorHandler((thrown, request, reply) => sendProblem(services, thrown, request, reply));
  if (watch !== undefined) watchRequests(app, watch);
  takeJson(app);
  refuseSlowBodies(app);
  guardRoutes(app, gate, options.onRoute);
  knowPaths(app);
  keepReplies(app, kept, services.index);
  for (const protocol of options.protocols) await protocol(app, services);
  await app.ready();
  return app;
}

const UNWATCHED: RequestWatch = { isDraining: false, began: () => {}, ended: () => {} };

function serverOf(listener: RequestListener): Server {
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 2000 },
    listener,
  );
  // Files take as long as they take; who sends a JSON body slowly is refused by its own clock.
  server.requestTimeout = 0;
  server.setTimeout(0);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function sendProblem(services: Services, thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = withoutHiddenNames(errorOf(fromFramework(thrown)), request, services);
  if (error.code === 'unexpected')
    services.log('error', `${request.method} ${request.routeOptions.url ?? ''} failed: ${String(error.cause)}`, {
      requestId: request.id,
    });
  const problem = problemOf(error);
  const { retryAfterSeconds } = error.details;
  if (error.retryable) reply.header('retry-after', typeof retryAfterSeconds === 'number' ? retryAfterSeconds : 1);
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="ingot", Basic realm="ingot"');
  return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** Other texts than JSON are no bodies here: a form of a foreign page can send them without asking. */
function refuseEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new IngotError('unsupported-media-type', `JSON is taken as it is, not as ${encoding.slice(0, 100)}`, {
    hint: 'send the body without Content-Encoding',
  });
}

function takeJson(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      const { 'content-encoding': encoding, 'content-type': type } = request.headers;
      refuseEncoding(encoding);
      return bytes.byteLength === 0 ? undefined : parseJsonBody(textOfJson(bytes, type));
    },
  );
}
