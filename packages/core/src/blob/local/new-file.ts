import { closeSync, fstat, fsync, open, type Stats, write, writeSync } from 'node:fs';

/** A file that is being made, as far as a store uses one. */
export interface NewFile {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
  stat(): Promise<Stats>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** So few bytes are in the system's memory before a thread would have been found to bring them there. */
const AT_ONCE_BYTES = 64 * 1024;

/**
 * Makes a file that is not there and opens it to write. What waits for no disk (few bytes into the system's memory,
 * closing) is done at once: handing it to a thread costs several times as much.
 */
export function createFile(path: string, mode: number): Promise<NewFile> {
  return new Promise((resolve, reject) => {
    open(path, 'wx', mode, (error, descriptor) => {
      if (error === null) resolve(newFile(descriptor));
      else reject(error);
    });
  });
}

function newFile(descriptor: number): NewFile {
  return {
    write: async (bytes, offset, length) =>
      length <= AT_ONCE_BYTES
        ? { bytesWritten: writeSync(descriptor, bytes, offset, length) }
        : { bytesWritten: await written(descriptor, bytes, offset, length) },
    stat: () => settled((done) => fstat(descriptor, done)),
    sync: () => settled<void>((done) => fsync(descriptor, done)),
    close: async () => closeSync(descriptor),
  };
}

function written(descriptor: number, bytes: Uint8Array, offset: number, length: number): Promise<number> {
  return settled((done) => write(descriptor, bytes, offset, length, null, done));
}

/** Gives what a call of the system gives its callback. */
function settled<Result>(
  call: (done: (error: NodeJS.ErrnoException | null, result: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}
