import { accessSync, constants } from 'node:fs';

/** Where temporary files may lie on Linux when the root is read-only: shared memory is writable in every container. */
const OTHERS = ['/dev/shm', '/run', '/var/tmp'];

/**
 * Chooses where temporary sockets are made: the system's directory, else the first other one that may be written to. Where
 * none may, it is the system's, and whoever writes there says so.
 * @example
 * writableDirectory('/tmp'); // '/dev/shm' in a container whose root is read-only
 */
export function writableDirectory(preferred: string): string {
  return [preferred, ...OTHERS].find(isWritable) ?? preferred;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false; // the next one is asked
  }
}
