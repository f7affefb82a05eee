import type { IncomingMessage } from 'node:http';
import { isIngotError } from '@ingot/core/errors';
import type { FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import { signInFirst } from '../access/authorizer.ts';
import type { Identity, RequestOrigin } from '../access/identity.ts';
import { Buckets, type RequestRates, tooOften } from '../access/limits.ts';
import { Origins } from '../access/origins.ts';
import { CSRF_HEADER } from '../access/sessions.ts';
import type { Audit } from '../audit/audit.ts';
import type { Gate } from './route-access.ts';

/** What the gate asks. */
export interface GateOptions {
  readonly access: Access;
  readonly audit: Audit;
  /** Names that this server answers to, beside those of loopback. */
  readonly allowedHosts: readonly string[];
  readonly rates: RequestRates;
}

/** Where nobody signs in, clients say whom they work for. */
const ACTOR_HEADERS = ['ingot-actor', 'x-ingot-actor'] as const;

/** Makes the gate before every route: which names and pages count, who asks, how often, and what they may. */
export function createGate({ access, audit, allowedHosts, rates }: GateOptions): Gate {
  const origins = new Origins(allowedHosts);
  const now = (): number => performance.now();
  const byIdentity = new Buckets(rates.identity, now);
  const byAddress = new Buckets(rates.address, now);
  const { accessLog } = audit;

  const limit = (buckets: Buckets, key: string, identity: Pick<Identity, 'name'>, origin: RequestOrigin): void => {
    const seconds = buckets.take(key);
    if (seconds === 0) return;
    accessLog.record({ kind: 'limited', actor: identity.name, origin });
    throw tooOften(seconds);
  };
  const limited = (identity: Identity, origin: RequestOrigin): Identity => {
    if (identity.kind === 'nobody') limit(byAddress, origin.address, identity, origin);
    else limit(byIdentity, limitKey(identity, origin), identity, origin);
    return identity;
  };
  const failed = (error: unknown, origin: RequestOrigin): never => {
    if (isIngotError(error, 'unauthenticated', 'forbidden')) {
      limit(byAddress, origin.address, { name: 'anonymous' }, origin);
      accessLog.record({ kind: 'denied', actor: 'anonymous', origin, details: { because: error.code } });
    }
    throw error;
  };
  const identify = (request: FastifyRequest): Identity | Promise<Identity> => {
    const origin = originOf(request);
    try {
      const identity = access.identify({ ...credentialsOf(request), origin });
      if (!(identity instanceof Promise)) return limited(identity, origin);
      return identity.then(
        (known) => limited(known, origin),
        (error: unknown) => failed(error, origin),
      );
    } catch (error) {
      return failed(error, origin);
    }
  };

  return {
    admit: (request) => {
      try {
        origins.check(addressedOf(request.raw));
      } catch (error) {
        failed(error, originOf(request));
      }
    },
    identify,
    atOnce: (request, { permission, target, route }) => {
      const { headers, socket } = request;
      // Who sent it on may be another than the one at the other end.
      if (!origins.allows(addressedOf(request)) || headers['x-forwarded-for'] !== undefined) return undefined;
      const origin = { address: socket.remoteAddress ?? '', method: 'GET', route };
      const identity = access.identifyAtOnce({ ...credentialsOf(request), origin });
      if (identity === undefined || !access.authorizer.may(identity, permission, target)) return undefined;
      const key = limitKey(identity, origin);
      if (byIdentity.wait(key) > 0) return undefined;
      byIdentity.take(key);
      return identity;
    },
    anybody: (request, hasAddress) => {
      const origin = originOf(request);
      const identity = { kind: 'nobody', name: 'anonymous', authenticated: false, origin } as const;
      limit(hasAddress ? byIdentity : byAddress, origin.address, identity, origin);
      return identity;
    },
    check: access.authorizer.check,
    requireSomebody: (identity) => {
      if (identity.kind !== 'nobody') return;
      accessLog.record({
        kind: 'denied',
        actor: identity.name,
        origin: identity.origin,
        details: { because: 'nobody' },
      });
      throw signInFirst();
    },
  };
}

function limitKey({ subject }: Identity, { address }: RequestOrigin): string {
  return subject ?? address;
}

/** Where a request came from. */
export function originOf(request: FastifyRequest): RequestOrigin {
  return { address: request.ip, method: request.method, route: request.routeOptions.url ?? 'none' };
}

function credentialsOf({ headers }: Pick<IncomingMessage, 'headers'>) {
  const csrf = headers[CSRF_HEADER];
  const claim = ACTOR_HEADERS.map((name) => headers[name]).find((value) => typeof value === 'string');
  return {
    authorization: headers.authorization,
    cookie: headers.cookie,
    csrf: typeof csrf === 'string' ? csrf : undefined,
    actor: typeof claim === 'string' ? decoded(claim) : undefined,
  };
}

function addressedOf(request: IncomingMessage) {
  const { headers, socket, method } = request;
  const site = headers['sec-fetch-site'];
  return {
    host: hostOf(request),
    origin: headers.origin,
    fetchSite: typeof site === 'string' ? site : undefined,
    isNavigation: method === 'GET' && headers['sec-fetch-mode'] === 'navigate',
    localAddress: socket.localAddress,
  };
}

/** Whom a request means: an address written in full says it, else the one `Host`; of two, none (RFC 9112, 3.2). */
function hostOf({ headers, rawHeaders, url = '/' }: IncomingMessage): string | undefined {
  if (!url.startsWith('/')) return /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
  const isHost = (name: string, at: number): boolean =>
    at % 2 === 0 && name.length === 4 && name.toLowerCase() === 'host';
  return rawHeaders.findIndex(isHost) === rawHeaders.findLastIndex(isHost) ? headers.host : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not percent-encoded: the name as it is.
  }
}
