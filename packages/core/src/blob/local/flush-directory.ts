import { closeSync, fsync, open } from 'node:fs';

/**
 * Flushes a directory, so that the names in it survive a power cut. It is open no longer than that takes: whoever unmounts a
 * disk right after a command must not find it in use. Failures are the system's own.
 */
export function flushDirectory(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (unopened, descriptor) => {
      if (unopened !== null) return reject(unopened);
      fsync(descriptor, (error) => {
        // Nothing was written through it, so closing it waits for nothing.
        closeSync(descriptor);
        if (error === null) resolve();
        else reject(error);
      });
    });
  });
}
