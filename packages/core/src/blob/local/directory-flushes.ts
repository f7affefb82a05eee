import { close, fstatSync, fsync, open, statSync } from 'node:fs';

/** How long a directory stays open that nobody flushes any more. */
const IDLE_MS = 1000;
const MOST_OPEN = 64;

interface OpenDirectory {
  readonly descriptor: number;
  readonly identity: string;
  /** Who is flushing it: while somebody is, it is not closed. */
  users: number;
  usedAt: number;
}

/**
 * Flushes directories, so that the names in them survive a power cut. One that is flushed again and again stays open for
 * as long as that goes on: opening and closing it takes as much as the flush. That the name still stands for the same
 * directory is looked at each time.
 */
export class DirectoryFlushes {
  readonly #open = new Map<string, OpenDirectory>();
  #timer: NodeJS.Timeout | undefined;

  /** Flushes a directory. Failures are the system's own. */
  async flush(path: string): Promise<void> {
    const directory = this.#known(path) ?? (await this.#opened(path));
    try {
      await flushed(directory.descriptor);
    } finally {
      directory.users -= 1;
      directory.usedAt = performance.now();
      if (this.#open.get(path) !== directory) closeUnused(directory);
    }
  }

  /** A directory that is open, with one user more, unless something else has its name now. */
  #known(path: string): OpenDirectory | undefined {
    const known = this.#open.get(path);
    if (known === undefined) return undefined;
    const there = statSync(path, { throwIfNoEntry: false });
    if (there === undefined || identityOf(there) !== known.identity) {
      this.#forget(path, known);
      return undefined;
    }
    known.users += 1;
    return known;
  }

  async #opened(path: string): Promise<OpenDirectory> {
    const descriptor = await opened(path);
    const directory = { descriptor, identity: identityOf(fstatSync(descriptor)), users: 1, usedAt: 0 };
    // Somebody else may have opened it meanwhile: then this one is closed after its use.
    if (this.#open.has(path) || this.#open.size >= MOST_OPEN) return directory;
    this.#open.set(path, directory);
    this.#timer ??= setInterval(() => this.#closeIdle(), IDLE_MS).unref();
    return directory;
  }

  #closeIdle(): void {
    const now = performance.now();
    for (const [path, directory] of this.#open)
      if (directory.users === 0 && now - directory.usedAt >= IDLE_MS) this.#forget(path, directory);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #forget(path: string, directory: OpenDirectory): void {
    this.#open.delete(path);
    closeUnused(directory);
  }
}

function closeUnused({ users, descriptor }: OpenDirectory): void {
  // Nothing was written through it: that it is closed is all there is to it.
  if (users === 0) close(descriptor, () => {});
}

function identityOf({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev} ${ino}`;
}

function opened(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (error, descriptor) => (error === null ? resolve(descriptor) : reject(error)));
  });
}

function flushed(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(descriptor, (error) => (error === null ? resolve() : reject(error)));
  });
}
