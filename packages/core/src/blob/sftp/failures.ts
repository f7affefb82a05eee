/** What failures of SSH and SFTP mean for whoever uses a store, in their words. */

import { IngotError, isIngotError, systemErrorCode } from '../../errors.ts';
import type { AuthMethod } from 'ssh2';
import type { SftpAddress } from './address.ts';
import { LOGIN_HINT } from './login.ts';

/** Status codes of the protocol (draft-ietf-secsh-filexfer-02, section 7). */
export const SFTP_STATUS = {
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  noConnection: 6,
  connectionLost: 7,
  unsupported: 8,
} as const;

/** The status that a server answered with, or undefined when the error is not an answer. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}

/** Gives the error of a connection that did not come about. Errors that are explained already stay as they are. */
export function connectError(
  error: unknown,
  { shown, user }: Pick<SftpAddress, 'shown' | 'user'>,
  login: readonly AuthMethod[],
): IngotError {
  if (isIngotError(error)) return error;
  const level = error instanceof Error && 'level' in error ? error.level : undefined;
  if (level !== 'client-authentication') return lost(error, shown);
  const offered = [...new Set(login.map(({ type }) => OFFERED[type]))].filter((name) => name !== undefined);
  return new IngotError(
    'forbidden',
    `${shown} does not let us in: "${user}" was refused with ${offered.join(' and ')}`,
    {
      operation: 'open',
      hint: `the public key must stand in authorized_keys of "${user}" on that host; else ${LOGIN_HINT}`,
      cause: error,
    },
  );
}

const NOBODY_THERE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);
const HOST_HINT = 'look at host and port of the address (sftp://USER@HOST:PORT/PATH), and whether the server runs';

const OFFERED: Partial<Record<AuthMethod['type'], string>> = {
  publickey: 'a key',
  agent: 'the keys of the SSH agent',
  password: 'a password',
};

/** Gives the error of a connection that broke while something was under way. */
export function lost(error: unknown, shown: string): IngotError {
  if (isIngotError(error)) return error;
  const system = systemErrorCode(error);
  const said = error instanceof Error && error.message !== '' ? error.message : 'the connection was closed';
  return new IngotError('unavailable', `no connection to ${shown}: ${said}`, {
    operation: 'open',
    ...(system === undefined ? {} : { details: { system } }),
    ...(system !== undefined && NOBODY_THERE.has(system) ? { hint: HOST_HINT } : {}),
    cause: error,
  });
}

/** Gives the error of an answer that nobody expected. Errors that are explained already stay as they are. */
export function answerError(error: unknown, operation: string, path: string): IngotError {
  if (isIngotError(error)) return error;
  const status = statusOf(error);
  const verb = operation.slice(operation.indexOf('.') + 1);
  const said = error instanceof Error ? error.message : String(error);
  const options = { operation, details: { path, ...(status === undefined ? {} : { status }) }, cause: error };
  if (status === SFTP_STATUS.permissionDenied)
    return new IngotError('forbidden', `${verb} of ${path} is not allowed`, {
      ...options,
      hint: 'ask who owns the store for access; INGOT_SHARED=group makes what is written usable by the group',
    });
  if (status === SFTP_STATUS.unsupported)
    return new IngotError('refused', `${verb} of ${path} failed: the server cannot do it`, options);
  return new IngotError('unavailable', `${verb} of ${path} failed: ${said}`, options);
}
