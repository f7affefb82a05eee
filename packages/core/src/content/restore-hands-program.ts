/**
 * What a helping thread of a restore does, as one function that needs nothing around it: its source text is the program
 * of a worker thread, so that it runs from sources, from a bundle and in tests alike. Small restores call it directly.
 * All calls are synchronous: a thread of its own may wait for the disk.
 */

import type * as crypto from 'node:crypto';
import type * as fs from 'node:fs';

/** A small file whose bytes lie in a buffer. */
export interface HandFile {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** SHA-256 as hex. */
  readonly sha256: string;
}

/** A file whose bytes lie in a buffer, from `at` on. */
export interface HandWrite extends HandFile {
  readonly at: number;
}

/** A file whose bytes lie in another file, from `start` on. */
export interface HandCopy extends HandFile {
  readonly from: string;
  readonly start: number;
}

/** What a hand can be told to do. */
export type HandCommand =
  /** Goes on with a running hash over bytes of an open file, those that it has seen left out; `id` names the hash. */
  | { readonly do: 'hash'; readonly id: number; readonly fd: number; readonly from: number; readonly to: number }
  /** Ends a running hash; the answer is its hex. */
  | { readonly do: 'digest'; readonly id: number }
  /**
   * Copies bytes of one open file to another; the answer is how many there were. With `id`, bytes that its running hash
   * waits for are hashed on the way, and `hash` need not read them again.
   */
  | {
      readonly do: 'carry';
      readonly id?: number;
      readonly source: number;
      readonly start: number;
      readonly fd: number;
      readonly at: number;
      readonly length: number;
    }
  /** Hashes ranges of an open file, each on its own; the answer is a list of hex. */
  | { readonly do: 'ranges'; readonly fd: number; readonly ranges: readonly (readonly [from: number, to: number])[] }
  /** Makes files from a buffer; the answer is a list of {@link HandResult}. A file whose bytes are wrong is not made. */
  | { readonly do: 'write'; readonly bytes: Uint8Array; readonly files: readonly HandWrite[] }
  /** Makes files from local ones; answers as `write` does. */
  | { readonly do: 'copy'; readonly files: readonly HandCopy[] }
  /** Says which files stand and are right, answering as `write` does; wrong ones are removed. */
  | { readonly do: 'check'; readonly files: readonly HandFile[] };

/** What became of a file. */
export interface HandResult {
  readonly good: boolean;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

/** An answer, by command. */
export type HandAnswer = string | number | readonly string[] | readonly HandResult[] | undefined;

/** Modules that the program needs. */
export interface HandModules {
  readonly fs: Pick<
    typeof fs,
    'openSync' | 'closeSync' | 'readSync' | 'writeSync' | 'fchmodSync' | 'fstatSync' | 'unlinkSync' | 'constants'
  >;
  readonly crypto: Pick<typeof crypto, 'createHash'>;
}

/** Makes the function that carries out commands. Uses nothing but its argument: see the head of this file. */
export function handsProgram({ fs, crypto }: HandModules): (command: HandCommand) => HandAnswer {
  const NEW_FILE = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
  const OLD_FILE = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW;
  const WRONG: HandResult = { good: false, mtimeMs: 0, ctimeMs: 0, ino: 0 };
  const running = new Map<number, { readonly hash: crypto.Hash; hashedTo: number }>();
  let buffer: Buffer | undefined;

  /** Gives the bytes of a range in pieces that are only good until the next; fewer when the file is shorter. */
  function each(fd: number, from: number, to: number, use: (bytes: Uint8Array) => void): boolean {
    buffer ??= Buffer.allocUnsafeSlow(1024 * 1024);
    for (let at = from; at < to; ) {
      const count = fs.readSync(fd, buffer, 0, Math.min(buffer.length, to - at), at);
      if (count === 0) return false;
      use(count === buffer.length ? buffer : buffer.subarray(0, count));
      at += count;
    }
    return true;
  }

  /** Writes where the file stands, or from `position` on. */
  function writeAll(fd: number, bytes: Uint8Array, position: number | null = null): void {
    for (let at = 0; at < bytes.length; )
      at += fs.writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at);
  }

  function looked(fd: number): HandResult {
    const { mtimeMs, ctimeMs, ino } = fs.fstatSync(fd);
    return { good: true, mtimeMs, ctimeMs, ino };
  }

  /** Makes a file with what `fill` writes, if that says it is right; nothing stays otherwise. */
  function make(file: HandFile, fill: (fd: number) => boolean): HandResult {
    const fd = fs.openSync(file.path, NEW_FILE, 0o600);
    let result = WRONG;
    try {
      if (fill(fd)) {
        fs.fchmodSync(fd, file.mode);
        result = looked(fd);
      }
    } finally {
      fs.closeSync(fd);
      if (!result.good) fs.unlinkSync(file.path);
    }
    return result;
  }

  function write(bytes: Uint8Array, file: HandWrite): HandResult {
    const own = bytes.subarray(file.at, file.at + file.sizeBytes);
    if (crypto.createHash('sha256').update(own).digest('hex') !== file.sha256) return WRONG;
    return make(file, (fd) => {
      writeAll(fd, own);
      return true;
    });
  }

  function opened(path: string): number | undefined {
    try {
      return fs.openSync(path, OLD_FILE);
    } catch {
      // What was here and is not now, or cannot be read, is not here: the store has it.
      return undefined;
    }
  }

  function copy(file: HandCopy): HandResult {
    const source = opened(file.from);
    if (source === undefined) return WRONG;
    try {
      return make(file, (fd) => {
        const hash = crypto.createHash('sha256');
        const whole = each(source, file.start, file.start + file.sizeBytes, (bytes) => {
          hash.update(bytes);
          writeAll(fd, bytes);
        });
        return whole && hash.digest('hex') === file.sha256;
      });
    } finally {
      fs.closeSync(source);
    }
  }

  function check(file: HandFile): HandResult {
    const fd = opened(file.path);
    if (fd === undefined) return WRONG;
    let result = WRONG;
    try {
      const hash = crypto.createHash('sha256');
      const whole =
        fs.fstatSync(fd).size === file.sizeBytes && each(fd, 0, file.sizeBytes, (bytes) => hash.update(bytes));
      if (whole && hash.digest('hex') === file.sha256) {
        fs.fchmodSync(fd, file.mode);
        result = looked(fd);
      }
    } finally {
      fs.closeSync(fd);
      if (!result.good) fs.unlinkSync(file.path);
    }
    return result;
  }

  function hashOf(id: number): { readonly hash: crypto.Hash; hashedTo: number } {
    const known = running.get(id) ?? { hash: crypto.createHash('sha256'), hashedTo: 0 };
    running.set(id, known);
    return known;
  }

  function goOn(id: number, fd: number, from: number, to: number): undefined {
    const open = hashOf(id);
    // A file that is too short has another digest, and is found by that.
    each(fd, Math.max(from, open.hashedTo), to, (bytes) => open.hash.update(bytes));
    open.hashedTo = Math.max(open.hashedTo, to);
    return undefined;
  }

  function carry({ id, source, start, fd, at, length }: HandCommand & { readonly do: 'carry' }): number {
    const open = id === undefined ? undefined : hashOf(id);
    let done = 0;
    each(source, start, start + length, (bytes) => {
      writeAll(fd, bytes, at + done);
      if (open?.hashedTo === at + done) {
        open.hash.update(bytes);
        open.hashedTo += bytes.length;
      }
      done += bytes.length;
    });
    return done;
  }

  function finish(id: number): string {
    const { hash } = hashOf(id);
    running.delete(id);
    return hash.digest('hex');
  }

  function hashRange(fd: number, from: number, to: number): string {
    const hash = crypto.createHash('sha256');
    each(fd, from, to, (bytes) => hash.update(bytes));
    return hash.digest('hex');
  }

  return (command) => {
    switch (command.do) {
      case 'hash':
        return goOn(command.id, command.fd, command.from, command.to);
      case 'carry':
        return carry(command);
      case 'digest':
        return finish(command.id);
      case 'ranges':
        return command.ranges.map(([from, to]) => hashRange(command.fd, from, to));
      case 'write':
        return command.files.map((file) => write(command.bytes, file));
      case 'copy':
        return command.files.map(copy);
      case 'check':
        return command.files.map(check);
    }
  };
}
