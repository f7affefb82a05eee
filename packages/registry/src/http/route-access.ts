import type { IncomingMessage } from 'node:http';
import { IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Identity, Permission, Target } from '../access/identity.ts';

/**
 * Who may call a route. `public`: anybody; `signed-in`: whoever has proved who they are (or anybody, where the server
 * has no accounts); a permission on the server, or on what the request names; `handler`: the handler asks the
 * authorizer itself, because only the body tells what is acted on; `isSigned`: whoever has an address that this server has
 * signed, which the handler refuses when it is not.
 */
export type RouteAccess =
  | 'public'
  | 'signed-in'
  | { readonly can: Permission; readonly on?: (request: FastifyRequest) => Target }
  | { readonly handler: 'checks' }
  | { readonly isSigned: (request: FastifyRequest) => boolean };

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

/** What a request at a route must be allowed. */
export interface Wanted {
  readonly permission: Permission;
  readonly target: Target;
  /** The route as it was declared. */
  readonly route: string;
}

/** What authentication is asked. */
export interface Gate {
  /** Refuses before it is known who asks: foreign names and pages. Throws `forbidden`. Default: nothing is refused. */
  admit?(request: FastifyRequest): void;
  /** Says who asks. Throws `unauthenticated` for credentials that are wrong, `overloaded` when they ask too often. */
  identify(request: FastifyRequest): Promise<Identity> | Identity;
  /**
   * Does all of this at once for a request that needs no look-up and is let through; undefined: it must go the long way,
   * which refuses it or looks further. Never throws. Default: every request goes the long way.
   */
  atOnce?(request: IncomingMessage, wanted: Wanted): Identity | undefined;
  /**
   * Who asks at a route where credentials are not looked at, being for everybody, or for whoever has its address: he was
   * given it, and may ask as often as whoever has signed in. Default: whom `identify` says.
   */
  anybody?(request: FastifyRequest, hasAddress: boolean): Identity;
  check(identity: Identity, permission: Permission, target: Target): void;
  /** Throws `unauthenticated` when nobody asks. */
  requireSomebody(identity: Identity): void;
}

/** A route, and who may call it. */
export interface GuardedRoute {
  readonly method: string;
  readonly url: string;
  readonly access: RouteAccess;
}

/** Puts a gate before every route, also of plugins that are registered later. A route that does not say who may call it fails the start. */
export function guardRoutes(app: FastifyInstance, gate: Gate, onRoute?: (route: GuardedRoute) => void): void {
  app.decorateRequest('identity');
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined) throw new Error(`${String(method)} ${url} does not say who may call it`);
    for (const each of [method].flat()) onRoute?.({ method: each, url, access: config.access });
  });
  app.addHook('onRequest', async (request, reply) => {
    // Nothing that is sent is to be taken for a page, whatever somebody has written into it.
    reply.header('x-content-type-options', 'nosniff');
    gate.admit?.(request);
    const access = request.routeOptions.config.access;
    const isForHolders = typeof access === 'object' && 'isSigned' in access;
    if (access === 'public' || access === undefined || isForHolders) {
      // No such route: the answer is 404 whoever asks.
      const hasAddress = isForHolders && access.isSigned(request);
      request.identity = gate.anybody?.(request, hasAddress) ?? (await gate.identify(request));
      return;
    }
    const identity = gate.identify(request);
    request.identity = identity instanceof Promise ? await identity : identity;
    gate.requireSomebody(request.identity);
    // No name, key or text holds it, and a database may fail over it.
    if (request.url.includes('%00')) throw new IngotError('invalid-request', 'the address holds U+0000');
  });
  // Before the body is checked: who may not, does not learn what would be valid.
  app.addHook('preValidation', async (request) => {
    const access = request.routeOptions.config.access;
    if (typeof access !== 'object' || !('can' in access)) return;
    gate.check(request.identity, access.can, access.on?.(request) ?? SERVER);
  });
}
