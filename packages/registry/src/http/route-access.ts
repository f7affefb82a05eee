import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Identity, Permission, Target } from '../access/identity.ts';

/**
 * Who may call a route. `public`: anybody; `signed-in`: whoever has proved who they are (or anybody, where the server
 * has no accounts); a permission on the server, or on what the request names; `handler`: the handler asks the
 * authorizer itself, because only the body tells what is acted on.
 */
export type RouteAccess =
  | 'public'
  | 'signed-in'
  | { readonly can: Permission; readonly on?: (request: FastifyRequest) => Target }
  | { readonly handler: 'checks' };

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call it; a route without this cannot be registered. */
    access?: RouteAccess;
  }
  interface FastifyRequest {
    /** Who asks; set before any handler runs. */
    identity: Identity;
  }
}

const SERVER: Target = { kind: 'server' };

/** What authentication is asked. */
export interface Gate {
  /** Says who asks. Throws `unauthenticated` for credentials that are wrong. */
  identify(request: FastifyRequest): Promise<Identity> | Identity;
  check(identity: Identity, permission: Permission, target: Target): void;
  /** Throws `unauthenticated` when nobody asks. */
  requireSomebody(identity: Identity): void;
}

/** Puts a gate before every route, also of plugins that are registered later. A route that does not say who may call it fails the start. */
export function guardRoutes(app: FastifyInstance, gate: Gate): void {
  app.decorateRequest('identity');
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined) throw new Error(`${String(method)} ${url} does not say who may call it`);
  });
  app.addHook('onRequest', async (request) => {
    const access = request.routeOptions.config.access;
    if (access === undefined) return; // No such route: the answer is 404 whoever asks.
    request.identity = await gate.identify(request);
    if (access === 'public') return;
    if (access === 'signed-in' || 'handler' in access) gate.requireSomebody(request.identity);
  });
  app.addHook('preHandler', async (request) => {
    const access = request.routeOptions.config.access;
    if (typeof access !== 'object' || 'handler' in access) return;
    gate.check(request.identity, access.can, access.on?.(request) ?? SERVER);
  });
}
