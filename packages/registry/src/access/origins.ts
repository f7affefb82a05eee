/**
 * Which names this server answers to. A page from elsewhere can make a browser send requests here (cross-site requests),
 * or make its own name lead here (DNS rebinding); both are known by the headers `Host` and `Origin`.
 */

import { isIP } from 'node:net';
import { IngotError } from '@ingot/core/errors';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];

/** Says whether an address to listen on can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** What of a request says where it comes from and what it meant to reach. */
export interface Addressed {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  /** Whether somebody follows a link here: no page sees the answer, and no strict cookie comes along. */
  readonly isNavigation: boolean;
  /** The server's own address of the connection. */
  readonly localAddress: string | undefined;
}

/** Refuses requests that were meant for other names, or that other sites have made. */
export class Origins {
  readonly #names: ReadonlySet<string>;
  readonly #all: boolean;

  /** @param allowed names beside those of loopback, without ports; `*` allows every name. */
  constructor(allowed: readonly string[]) {
    this.#names = new Set([...LOOPBACK_NAMES, ...allowed.map((name) => name.toLowerCase())]);
    this.#all = allowed.includes('*');
  }

  /** Throws `forbidden`. */
  check(request: Addressed): void {
    if (!this.#isMeant(request))
      throw new IngotError(
        'forbidden',
        `this server does not answer to the name "${(request.host ?? '').slice(0, 100)}"`,
        { hint: 'ingot up --allowed-hosts NAME' },
      );
    if (!isOfNoOtherSite(request)) throw new IngotError('forbidden', 'pages of other sites may not ask this server');
  }

  /** Says whether {@link check} lets a request through. */
  allows(request: Addressed): boolean {
    return this.#isMeant(request) && isOfNoOtherSite(request);
  }

  #isMeant({ host, localAddress }: Addressed): boolean {
    const name = hostName(host);
    return name !== undefined && this.#isOurs(name, localAddress);
  }

  // An address that is the connection's own cannot have been given by a foreign name server.
  #isOurs(name: string, localAddress: string | undefined): boolean {
    if (this.#all || this.#names.has(name)) return true;
    return isIP(name) !== 0 && localAddress !== undefined && localAddress.replace(/^::ffff:/, '') === name;
  }
}

function isOfNoOtherSite({ host, origin, fetchSite, isNavigation }: Addressed): boolean {
  const isForeign = fetchSite === 'cross-site' && !isNavigation;
  return origin === undefined ? !isForeign : originHost(origin) === host?.toLowerCase();
}

const HOST = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?))(?::\d{1,5})?$/;

/** The name in a `Host` header, without the port; undefined for what is none. */
function hostName(host: string | undefined): string | undefined {
  const [, v6, name] = HOST.exec(host?.toLowerCase() ?? '') ?? [];
  return v6 ?? name;
}

function originHost(origin: string): string | undefined {
  return /^https?:\/\/([^/?#@\\]+)$/.exec(origin.toLowerCase())?.[1];
}
