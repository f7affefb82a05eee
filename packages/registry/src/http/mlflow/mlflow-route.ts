import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Identity } from '../../access/identity.ts';
import type { Services } from '../../services.ts';
import type { RouteAccess } from '../route-access.ts';
import { Fields } from './fields.ts';
import { JsonText } from './json-text.ts';

/** What a handler is given of a request. */
export interface Call {
  readonly fields: Fields;
  /** Parts of the path, as they were named. */
  readonly path: Fields;
  readonly identity: Identity;
  /** Size of the body as the client announced it. */
  readonly bodyBytes: number;
}

/** One call of MLflow's API. */
export interface MlflowRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | readonly ('GET' | 'POST')[];
  /** After `/api/2.0/mlflow` or whatever it is mounted at. */
  readonly path: string;
  readonly access: RouteAccess;
  /** Whether the answer says only what the logs say of the model that is asked for, and so is kept. Default: no. */
  readonly keeps?: boolean;
  /** Largest body in bytes. Default: that of the application. */
  readonly bodyLimit?: number;
  /** Gives the answer, or its text; what is undefined in it is left out, empty lists should be. */
  readonly run: (call: Call, services: Services) => Promise<object> | object;
}

/** Where the API of MLflow lies: clients use the first, its pages the others. */
export const MLFLOW_PREFIXES = [
  '/api/2.0/mlflow',
  '/api/3.0/mlflow',
  '/ajax-api/2.0/mlflow',
  '/ajax-api/3.0/mlflow',
] as const;

/** Registers routes below the prefix of a part of the application. */
export function addMlflowRoutes(scope: FastifyInstance, services: Services, routes: readonly MlflowRoute[]): void {
  for (const route of routes) addRoute(scope, services, route);
}

function addRoute(scope: FastifyInstance, services: Services, route: MlflowRoute): void {
  const { method, path, access, bodyLimit, run, keeps = false } = route;
  scope.route({
    method: typeof method === 'string' ? method : [...method],
    url: path,
    config: { access, keeps },
    ...(bodyLimit === undefined ? {} : { bodyLimit }),
    handler: async (request, reply) => {
      requireObject(request);
      const call = {
        fields: fieldsOf(request),
        path: new Fields(request.params),
        identity: request.identity,
        bodyBytes: Number(request.headers['content-length'] ?? 0),
      };
      const answer = await run(call, services);
      return reply.type('application/json').send(answer instanceof JsonText ? answer.text : JSON.stringify(answer));
    },
  });
}

function requireObject({ method, body }: FastifyRequest): void {
  if (method === 'GET' || body === undefined || body === null) return;
  if (typeof body !== 'object' || Array.isArray(body))
    throw new IngotError('usage', 'The body of a request must be a JSON object.');
}

/** What a request says: its query for a GET, else its body. */
export function fieldsOf(request: Pick<FastifyRequest, 'method' | 'query' | 'body'>): Fields {
  return new Fields(request.method === 'GET' ? request.query : request.body);
}
