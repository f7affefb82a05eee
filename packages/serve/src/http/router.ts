import { IngotError } from '@ingot/core/errors';
import { nearest } from '@ingot/core/nearest';
import createFinder, { type HTTPMethod } from 'find-my-way';
import type { Exchange } from './exchange.ts';

/** Answers an exchange, now or later; what it throws becomes an error reply. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

/** One way into the server. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** With `:parts`; a part takes any text without a slash, percent-encoded slashes included. */
  readonly path: string;
  /** Its name in metrics. */
  readonly name: string;
  readonly handler: Handler;
}

/** Finds the handler of an exchange. HEAD is answered by GET's. */
export interface Router {
  /** Sets the exchange's route and parameters. Throws `path-not-found`, with the nearest route; see {@link WrongMethod}. */
  find(exchange: Exchange): Handler;
}

/** The path exists, but not with this method. */
export class WrongMethod extends Error {
  /** For the `Allow` header. */
  readonly allowed: readonly string[];
  readonly error: IngotError;

  constructor(method: string, path: string, allowed: readonly string[]) {
    super(`${path} does not take ${method}`);
    this.allowed = allowed;
    this.error = new IngotError('usage', `${path} does not take ${method}, only ${allowed.join(', ')}`, {
      details: { allowed },
    });
  }
}

/**
 * Builds the router of a server.
 * @param models Names to fill into `:model` when guessing what a wrong path meant.
 */
export function createRouter(routes: readonly Route[], models: () => readonly string[]): Router {
  const finder = createFinder({
    ignoreTrailingSlash: true,
    maxParamLength: 1024,
    querystringParser: () => ({}),
    defaultRoute: () => undefined,
  });
  const byHandler = new Map<unknown, Route>();
  for (const route of routes) {
    const marker = (): void => undefined;
    byHandler.set(marker, route);
    finder.on(route.method === 'GET' ? ['GET', 'HEAD'] : route.method, route.path, marker);
  }
  finder.compile();

  const lookUp = (method: HTTPMethod, url: string) => {
    const found = finder.find(method, url);
    const route = found === null ? undefined : byHandler.get(found.handler);
    return found === null || route === undefined ? undefined : { route, params: found.params };
  };

  return {
    find(exchange) {
      const { method = 'GET', url = '/' } = exchange.request;
      const found = isKnownMethod(method) ? lookUp(method, url) : undefined;
      if (found === undefined) throw notFound(method, url, lookUp, routes, models());
      exchange.params = found.params;
      exchange.route = found.route.name;
      return found.route.handler;
    },
  };
}

function isKnownMethod(method: string): method is 'GET' | 'HEAD' | 'POST' {
  return method === 'GET' || method === 'HEAD' || method === 'POST';
}

function notFound(
  method: string,
  url: string,
  lookUp: (method: HTTPMethod, url: string) => unknown,
  routes: readonly Route[],
  models: readonly string[],
): Error {
  const path = (url.split('?', 1)[0] ?? '/').slice(0, 200);
  const allowed = (['GET', 'HEAD', 'POST'] as const).filter((other) => lookUp(other, url) !== undefined);
  if (allowed.length > 0) return new WrongMethod(method.slice(0, 20), path, allowed);
  const near = nearest(path, candidates(routes, models));
  return new IngotError(
    'path-not-found',
    `there is nothing at ${path}${near === undefined ? '' : `; did you mean ${near}?`}`,
    {
      hint: 'GET /openapi.json lists every route',
      ...(near === undefined ? {} : { nearest: near }),
    },
  );
}

function* candidates(routes: readonly Route[], models: readonly string[]): Iterable<string> {
  for (const { path } of routes) {
    if (!path.includes('/:')) yield path;
    else if (!path.includes(':version') && !path.includes(':namespace'))
      for (const model of models) yield path.replace(':model', encodeURIComponent(model));
  }
}
