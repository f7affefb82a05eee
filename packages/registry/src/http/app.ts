import { IngotError, isIngotError } from '@ingot/core/errors';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import type { Services } from '../services.ts';
import { errorOf, problemOf } from './problem.ts';
import { type Gate, guardRoutes } from './route-access.ts';

/** A protocol of the server: registers its routes. */
export type Protocol = (app: FastifyInstance, services: Services) => Promise<void> | void;

/** What the application is made of. */
export interface AppOptions {
  readonly services: Services;
  readonly gate: Gate;
  readonly protocols: readonly Protocol[];
  /** Largest JSON body, in bytes. Default: 1 MiB; routes that take files say their own. */
  readonly bodyLimit?: number;
}

const MIB = 1024 * 1024;

/** Makes the HTTP application: routes of all protocols behind one gate, problems as `application/problem+json`. */
export async function createRegistryApp(options: AppOptions): Promise<FastifyInstance> {
  const { services, gate } = options;
  const app = fastify({
    bodyLimit: options.bodyLimit ?? MIB,
    requestTimeout: 0,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 2048, ignoreTrailingSlash: false, caseSensitive: true },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    logger: false,
  });
  app.setErrorHandler((thrown, request, reply) => {
    const error = errorOf(fromFramework(thrown));
    if (error.code === 'unexpected')
      services.log('error', `${request.method} ${request.routeOptions.url ?? ''} failed: ${String(error.cause)}`);
    const problem = problemOf(error);
    if (error.retryable) reply.header('retry-after', '1');
    if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="ingot", Basic realm="ingot"');
    return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  });
  app.setNotFoundHandler((request) => {
    throw new IngotError(
      'not-found',
      `there is nothing at ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}`,
    );
  });
  guardRoutes(app, gate);
  for (const protocol of options.protocols) await protocol(app, services);
  await app.ready();
  return app;
}

/** The framework's own refusals in the words of this server. */
function fromFramework(thrown: unknown): unknown {
  if (isIngotError(thrown)) return thrown;
  const { code, statusCode, message }: Partial<FastifyError> = thrown instanceof Error ? thrown : {};
  if (statusCode === 413) return new IngotError('payload-too-large', 'the body is larger than this route takes');
  if (statusCode === 415)
    return new IngotError('unsupported-media-type', 'this route takes JSON', {
      hint: 'Content-Type: application/json',
    });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new IngotError('invalid-request', message ?? 'the request is not valid', {
      details: { rule: code ?? 'request' },
    });
  return thrown;
}
