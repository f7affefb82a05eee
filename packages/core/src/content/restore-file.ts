import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { Extents } from './extents.ts';
import type { Hands } from './restore-hands.ts';

/** A hash is fed with at least this much at a time. */
const HASH_BYTES = 4 * 1024 * 1024;
/** The disk is told to begin writing each time this much is there, so that the end does not wait for all of it. */
const FLUSH_BYTES = 32 * 1024 * 1024;

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OLD_FILE = constants.O_RDWR | constants.O_NOFOLLOW;

/** What tells later that a file is still the one that was written. */
export interface FileMark {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

/**
 * A large file on its way: its bytes are written wherever they belong, in any order, while a hand reads back and hashes
 * what is there from the beginning on. So what is verified is what the file holds, and one hash is enough.
 */
export class LargeFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #id: number;
  readonly #mode: number;
  readonly #hands: Hands;
  #there = new Extents();
  #handle: Promise<FileHandle> | undefined;
  #hashed = 0;
  #hashing: Promise<void> = Promise.resolve();
  #flushedAt = 0;
  #flushing: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: {
    readonly id: number;
    readonly path: string;
    readonly mode: number;
    readonly sizeBytes: number;
    readonly hands: Hands;
  }) {
    this.path = options.path;
    this.sizeBytes = options.sizeBytes;
    this.#id = options.id;
    this.#mode = options.mode;
    this.#hands = options.hands;
  }

  /** Says what an interrupted restore has written. False, and nothing is taken over, when there is no such file. */
  async resume(ranges: readonly (readonly [from: number, to: number])[]): Promise<boolean> {
    if (ranges.length === 0) return await this.#forget();
    const handle = await reopened(this.path);
    if (handle === undefined) return await this.#forget();
    const { size } = await handle.stat();
    if (size > this.sizeBytes) {
      await handle.close();
      return await this.#forget();
    }
    this.#handle = Promise.resolve(handle);
    for (const [from, to] of ranges) if (to <= size) this.#landed(from, to);
    return true;
  }

  /** Removes what stands where the file is to be made, and cannot be gone on with. */
  async #forget(): Promise<false> {
    await unlink(this.path).catch(() => undefined);
    return false;
  }

  /** Whether bytes need not be brought any more. */
  has(from: number, to: number): boolean {
    return this.#there.has(from, to);
  }

  get isWhole(): boolean {
    return this.#there.has(0, this.sizeBytes);
  }

  /** The open file; made with the first call. */
  handle(): Promise<FileHandle> {
    this.#handle ??= open(this.path, NEW_FILE, 0o600);
    return this.#handle;
  }

  /** Writes bytes at a position; {@link landed} says when they may be hashed. */
  async put(bytes: Uint8Array, at: number): Promise<void> {
    const handle = await this.handle();
    for (let done = 0; done < bytes.byteLength; )
      done += (await handle.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
  }

  /** Copies bytes of an open file to a position, and says how many there were; {@link landed} says when they may be hashed. */
  async carry(source: number, start: number, at: number, length: number): Promise<number> {
    const { fd } = await this.handle();
    return await this.#hands.carry(this.#id, { source, start, fd, at, length });
  }

  /** Says that bytes were written, or that nothing can be: then the file's digest will tell. */
  landed(from: number, to: number): void {
    this.#landed(from, to);
  }

  /** Hashes ranges of what is there, each on its own; hex. */
  async ranges(ranges: readonly (readonly [from: number, to: number])[]): Promise<readonly string[]> {
    return this.#hands.ranges((await this.handle()).fd, ranges);
  }

  /** The SHA-256 of the file as hex, when all of it is there. */
  async digest(): Promise<string> {
    await this.#hashing;
    return await this.#hands.digest(this.#id);
  }

  /** Begins hashing anew, because bytes were written that had been hashed already. */
  async rehash(): Promise<string> {
    const { fd } = await this.handle();
    await this.#hands.hash(this.#id, fd, 0, this.sizeBytes);
    return await this.#hands.digest(this.#id);
  }

  /** Gives the file its mode and closes it. */
  async finish(): Promise<FileMark> {
    const handle = await this.handle();
    await this.#flushing;
    // The system tells of a failed write only once; who makes the file durable later would not hear of it.
    if (this.#failure !== undefined) throw this.#failure;
    await handle.chmod(this.#mode);
    const { mtimeMs, ctimeMs, ino } = await handle.stat();
    this.#handle = undefined;
    await handle.close();
    return { mtimeMs, ctimeMs, ino };
  }

  /** Closes the file as it is. Nobody may hash it any more. */
  async abandon(): Promise<void> {
    await this.#flushing;
    const handle = await this.#handle?.catch(() => undefined);
    this.#handle = undefined;
    await handle?.close();
  }

  #landed(from: number, to: number): void {
    this.#there.add(from, to);
    const { prefix } = this.#there;
    if (prefix - this.#hashed < HASH_BYTES && prefix < this.sizeBytes) return;
    const hashed = this.#hashed;
    if (prefix === hashed) return;
    this.#hashed = prefix;
    this.#hashing = Promise.all([this.#hashing, this.#hash(hashed, prefix)]).then(() => undefined);
    this.#hashing.catch(() => {});
    this.#flush(prefix);
  }

  async #hash(from: number, to: number): Promise<void> {
    const { fd } = await this.handle();
    await this.#hands.hash(this.#id, fd, from, to);
  }

  #flush(prefix: number): void {
    if (prefix - this.#flushedAt < FLUSH_BYTES || this.#flushing !== undefined) return;
    this.#flushedAt = prefix;
    this.#flushing = this.handle()
      .then((handle) => handle.datasync())
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#flushing = undefined;
      });
  }
}

/** Opens a file that an interrupted restore has left, which may have its mode already; undefined when that cannot be. */
async function reopened(path: string): Promise<FileHandle | undefined> {
  try {
    if (!(await lstat(path)).isFile()) return undefined;
    await chmod(path, 0o600);
    return await open(path, OLD_FILE);
  } catch {
    return undefined;
  }
}
