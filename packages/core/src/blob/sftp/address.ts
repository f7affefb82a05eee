import { userInfo } from 'node:os';
import { IngotError } from '../../errors.ts';

/** Where a store on an SFTP server lies. */
export interface SftpAddress {
  /** The address without secrets. */
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  /** Path of the store on the server; relative ones start from the user's home. */
  readonly root: string;
}

/**
 * Takes `sftp://user@host:port/path` apart. `/~/models` is `models` in the user's home.
 * @throws IngotError `usage` when it is malformed.
 */
export function parseSftpAddress(address: string, env: Readonly<Record<string, string | undefined>>): SftpAddress {
  const url = asUrl(address);
  const path = decoded(url.pathname, address).replace(/(?<=.)\/+$/, '');
  const user = url.username === '' ? defaultUser(env) : decoded(url.username, address);
  if (path === '' || path === '/') throw malformed(address, 'a path follows the host');
  const at = url.username === '' ? '' : `${url.username}@`;
  return {
    shown: `sftp://${at}${url.host}${url.pathname.replace(/\/+$/, '')}`,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 22 : Number(url.port),
    user,
    password: url.password === '' ? undefined : decoded(url.password, address),
    root: path.replace(/^\/~(?:\/|$)/, '') || '.',
  };
}

function asUrl(address: string): URL {
  try {
    return new URL(address);
  } catch {
    throw malformed(address, 'it is no address');
  }
}

function decoded(text: string, address: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed(address, 'a "%" in it is written as %25');
  }
}

function defaultUser(env: Readonly<Record<string, string | undefined>>): string {
  return env.USER ?? env.LOGNAME ?? userInfo().username;
}

// The cause would show the address with its password.
function malformed(address: string, why: string): IngotError {
  const shown = address.replace(/\/\/[^/@]*@/, '//***@');
  return new IngotError('usage', `"${shown}" is not an SFTP address: ${why}, as in sftp://user@host/srv/models`, {
    operation: 'open',
  });
}
