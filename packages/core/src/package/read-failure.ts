import { IngotError, systemErrorCode } from '../errors.ts';

/** What the machine says when it could not look, which tells nothing of the file. */
const OF_THE_MACHINE: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  EIO: ['the disk reports an error (EIO)', 'look at the disk, then run the same command again'],
  EMFILE: ['too many files are open (EMFILE)', 'raise the limit: ulimit -n 4096'],
  ENFILE: ['too many files are open on this machine (ENFILE)', 'run the same command again later'],
  ENOMEM: ['the machine is out of memory (ENOMEM)', 'run the same command again later'],
  ESTALE: ['the share has lost the file (ESTALE)', 'mount the share anew, then run the same command again'],
  ETIMEDOUT: ['the share does not answer (ETIMEDOUT)', 'run the same command again when it does'],
};

/** Gives the error `unavailable` for a disk, share or machine that failed; undefined where the file itself is at fault. */
export function readFailure(error: unknown, path: string): IngotError | undefined {
  const known = OF_THE_MACHINE[systemErrorCode(error) ?? ''];
  if (known === undefined) return undefined;
  const [why, hint] = known;
  return new IngotError('unavailable', `${path} could not be read: ${why}`, {
    operation: 'package.read',
    hint,
    cause: error,
  });
}
