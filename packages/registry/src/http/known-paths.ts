import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** Refuses what no route takes: 405 with `Allow` where the address takes other methods, else 404. Always throws. */
    refuseUnknown(request: FastifyRequest, reply: FastifyReply): never;
  }
}

/**
 * Lets an application tell an address where nothing is from one that takes other methods: before its first route, behind
 * its gate.
 */
export function knowPaths(app: FastifyInstance): void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ method, url }) => {
    const known = methods.get(url) ?? new Set();
    methods.set(url, known);
    for (const each of [method].flat()) known.add(each);
  });
  let patterns: readonly (readonly [RegExp, ReadonlySet<string>])[] | undefined;
  app.decorate('refuseUnknown', (request: FastifyRequest, reply: FastifyReply): never => {
    patterns ??= [...methods].map(([url, known]) => [patternOf(url), known]);
    const path = request.url.split('?')[0] ?? '';
    const allowed = new Set(patterns.filter(([pattern]) => pattern.test(path)).flatMap(([, known]) => [...known]));
    throw refusalOf(request.method, path.slice(0, 200), [...allowed].sort(), reply);
  });
  // Before anything is asked of the body: what is wrong with it does not matter there.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) app.refuseUnknown(request, reply);
  });
  app.setNotFoundHandler((request, reply) => app.refuseUnknown(request, reply));
}

function refusalOf(method: string, path: string, allowed: readonly string[], reply: FastifyReply): IngotError {
  if (allowed.length === 0) return new IngotError('not-found', `there is nothing at ${method} ${path}`);
  const allow = allowed.join(', ');
  reply.header('allow', allow);
  return new IngotError('invalid-request', `${path} does not take ${method}`, {
    hint: `it takes ${allow}`,
    details: { status: 405, allow },
  });
}

/** What an address matches: `:name` is one part of it, `*` all that follows. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+';
    return part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}$`);
}
