import { statfs } from 'node:fs/promises';
import type { ErrorCode } from '../../errors.ts';
import { IngotError, systemErrorCode } from '../../errors.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  EROFS: 'forbidden',
  ENAMETOOLONG: 'usage',
  ENOTDIR: 'usage',
  EEXIST: 'usage',
};

const SAID: Partial<Record<ErrorCode, string>> = {
  forbidden: 'is not allowed',
  usage: 'is not possible under this key',
  unavailable: 'failed',
};

/** Says what a system error means for whoever uses a store, in their words. An {@link IngotError} stays as it is. */
export async function translated(error: unknown, operation: string, path: string): Promise<IngotError> {
  if (error instanceof IngotError) return error;
  const system = systemErrorCode(error);
  // A failure of the caller's own body or of this code is not the storage's.
  if (system === undefined)
    return new IngotError('unexpected', `${operation} of ${path} failed: ${String(error)}`, {
      operation,
      cause: error,
    });
  const code = CODES[system] ?? 'unavailable';
  if (code === 'disk-full') return diskFull(error, operation, path);
  const verb = operation.slice(operation.indexOf('.') + 1);
  return new IngotError(code, `${verb} of ${path} ${SAID[code] ?? 'failed'} (${system})`, {
    operation,
    details: { path, system },
    cause: error,
  });
}

async function diskFull(cause: unknown, operation: string, path: string): Promise<IngotError> {
  const freeBytes = await freeBytesNear(path);
  const free = freeBytes === undefined ? '' : `, ${freeBytes} bytes are free`;
  return new IngotError('disk-full', `no space left to write ${path}${free}`, {
    operation,
    details: { path, ...(freeBytes === undefined ? {} : { freeBytes }) },
    cause,
  });
}

async function freeBytesNear(path: string): Promise<number | undefined> {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
    try {
      const { bavail, bsize } = await statfs(at === '' ? '/' : at);
      return bavail * bsize;
    } catch {
      // The path need not exist yet: its nearest existing parent is on the same file system.
      if (at === '') return undefined;
    }
  }
}
