import { IngotError } from '../../errors.ts';

/** Where a storage that is reached over HTTP lies. */
export interface HttpAddress {
  /** The address without secrets, as people wrote it. */
  readonly shown: string;
  readonly origin: string;
  /** Percent-encoded path of the storage's root, with a slash at its end. */
  readonly root: string;
  /** Query that goes with every request, with its `?`; empty where there is none. */
  readonly query: string;
  readonly host: string;
  readonly isSecure: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/**
 * Takes an address apart: `webdavs://user@host/path`, `https://host/path`.
 * @throws IngotError `usage` when it is malformed.
 */
export function parseHttpAddress(address: string): HttpAddress {
  const url = asUrl(address);
  const scheme = url.protocol;
  const secure = url.protocol.endsWith('s:');
  const root = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`;
  const user = url.username === '' ? undefined : decodeURIComponent(url.username);
  const at = user === undefined ? '' : `${url.username}@`;
  const shownScheme = /^[a-z+]+(?=:)/i.exec(address)?.[0].toLowerCase() ?? scheme;
  return {
    shown: `${shownScheme}://${at}${url.host}${url.pathname.replace(/\/+$/, '')}`,
    origin: url.origin,
    root,
    query: url.search,
    host: url.hostname,
    isSecure: secure,
    user,
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
  };
}

function asUrl(address: string): URL {
  try {
    const url = new URL(address.replace(/^webdav(?=s?:)/i, 'http'));
    decodeURIComponent(url.username + url.password);
    return url;
  } catch {
    // The cause would show the address with its password.
    const shown = address.replace(/\/\/[^/@]*@/, '//***@');
    throw new IngotError('usage', `"${shown}" is not an address`, {
      hint: 'webdavs://user@host/path',
      operation: 'open',
    });
  }
}

/** Whether a host is this machine, so that nobody listens in between. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The `Authorization` header of a user and password, or of a token. */
export function authorizationOf(
  user: string | undefined,
  password: string | undefined,
  token: string | undefined,
): string | undefined {
  if (token !== undefined && token !== '') return `Bearer ${token}`;
  if (user === undefined && password === undefined) return undefined;
  return `Basic ${Buffer.from(`${user ?? ''}:${password ?? ''}`).toString('base64')}`;
}
