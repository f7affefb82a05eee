import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
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

/** What some failures say more than their code does. */
const CAUSES: Readonly<Record<string, string>> = {
  EIO: 'failed: the disk, or what is mounted there, reports an error',
};

const HINTS: Readonly<Record<string, string>> = {
  EIO: 'look at the disk (dmesg), or at what mounts it; in place of a mount by rclone and the like name the storage itself (s3://…, sftp://…)',
};

/**
 * Says what a system error means for whoever uses a store, in their words. An {@link IngotError} stays as it is.
 * @param root the store's directory, for the command that opens it to whoever is shut out.
 */
export async function translated(error: unknown, operation: string, path: string, root?: string): Promise<IngotError> {
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
  const hint =
    code === 'forbidden' && system !== 'EROFS' && root !== undefined ? await opening(path, root) : HINTS[system];
  return new IngotError(code, `${verb} of ${path} ${CAUSES[system] ?? SAID[code] ?? 'failed'} (${system})`, {
    operation,
    details: { path, system },
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

// A store is for its owner alone unless it was made to be shared.
async function opening(path: string, root: string): Promise<string> {
  const owner = await ownerOf(path);
  const quoted = /^[\w./-]+$/.test(root) ? root : `'${root.replaceAll("'", "'\\''")}'`;
  if (owner === process.getuid?.()) return `chmod -R u+rwX ${quoted}`;
  const who = owner === undefined ? 'its owner' : `user ${owner}, who owns it,`;
  const mine = owner === undefined ? '' : ` -user ${owner}`;
  return `${who} runs: find ${quoted}${mine} -exec chmod g+rwX {} +; find ${quoted}${mine} -type d -exec chmod g+s {} +   (and everybody sets INGOT_SHARED=group)`;
}

async function ownerOf(path: string): Promise<number | undefined> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return (await stat(at)).uid;
    } catch {
      // What cannot be looked at, or is not there, is in somebody's directory.
      if (dirname(at) === at) return undefined;
    }
  }
}

async function diskFull(cause: unknown, operation: string, path: string): Promise<IngotError> {
  const freeBytes = await freeBytesNear(path);
  const free = freeBytes === undefined ? '' : `, ${freeBytes} bytes are free`;
  return new IngotError('disk-full', `no space left to write ${path}${free}`, {
    operation,
    details: { path, ...(freeBytes === undefined ? {} : { freeBytes }) },
    hint: 'free some space, for one with `ingot gc`; the same command then goes on with what was written',
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
