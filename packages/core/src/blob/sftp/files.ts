/** The file operations of SFTP as promises, with the pipelining that makes them fast over a long line. */

import type { Attributes, DirectoryEntry, SFTPWrapper, StatVfs } from 'ssh2';
import { IngotError } from '../../errors.ts';
import type { FileModes } from '../local/file-system.ts';
import type { CallOptions, SftpConnection } from './connection.ts';
import { answerError, SFTP_STATUS, statusOf } from './failures.ts';

type ChooseModes = (files: SftpFiles, options: CallOptions) => Promise<FileModes>;

/** One remote file system. Methods throw `IngotError` unless they say otherwise. */
export class SftpFiles {
  readonly #connection: SftpConnection;
  readonly #chooseModes: ChooseModes;
  #modes: FileModes | undefined;

  /** @param modes finds out which modes are right, when something is made for the first time. */
  constructor(connection: SftpConnection, modes: ChooseModes) {
    this.#connection = connection;
    this.#chooseModes = modes;
  }

  /** Looks at a path; undefined when nothing is there. One request. */
  async stat(path: string, options: CallOptions): Promise<Attributes | undefined> {
    return this.#orMissing(path, options, () => this.#connection.call(options, (sftp, done) => sftp.stat(path, done)));
  }

  /** Opens a file to read; undefined when nothing is there. */
  async open(path: string, options: CallOptions): Promise<Buffer | undefined> {
    return this.#orMissing(path, options, () =>
      this.#connection.call(options, (sftp, done) => sftp.open(path, 'r', done)),
    );
  }

  /** Makes a file that must not be there and opens it to write; undefined when its directory is not there. */
  async create(path: string, options: CallOptions): Promise<Buffer | undefined> {
    const { file: mode, force } = await this.#modesOfWrites(options);
    const handle = await this.#orMissing(path, options, () =>
      this.#connection.call<Buffer>(options, (sftp, done) => sftp.open(path, 'wx', { mode }, done)),
    );
    if (handle !== undefined && force)
      await this.#told(path, options, () =>
        this.#connection.call<void>(options, (sftp, done) =>
          sftp.fsetstat(handle, { mode }, (e) => done(e, undefined)),
        ),
      );
    return handle;
  }

  /** Looks at an open file. */
  async statHandle(handle: Buffer, path: string, options: CallOptions): Promise<Attributes> {
    return this.#told(path, options, () => this.#connection.call(options, (sftp, done) => sftp.fstat(handle, done)));
  }

  /** Reads up to `length` bytes, and 0 at the end of the file. */
  async read(handle: Buffer, buffer: Buffer, length: number, position: number, path: string, options: CallOptions) {
    return this.#told(path, options, () =>
      this.#connection.call<number>(options, (sftp, done) => sftp.read(handle, buffer, 0, length, position, done)),
    );
  }

  /** Writes all of the bytes. */
  async write(handle: Buffer, bytes: Buffer, position: number, path: string, options: CallOptions): Promise<void> {
    await this.#told(path, options, () =>
      this.#connection.call<void>(options, (sftp, done) =>
        sftp.write(handle, bytes, 0, bytes.byteLength, position, (error) => done(error, undefined)),
      ),
    );
  }

  /** Makes what was written durable, where the server can. */
  async sync(handle: Buffer, path: string, options: CallOptions): Promise<void> {
    await this.#told(path, options, () =>
      this.#connection.call<void>(options, (sftp, done) => {
        try {
          sftp.ext_openssh_fsync(handle, (error) => done(error, undefined));
        } catch {
          // The server has no such extension: it makes files durable when it likes.
          done(undefined, undefined);
        }
      }),
    );
  }

  /** Closes a file. Nobody has to wait for it, and a failure says nothing new: what mattered was synced or read. */
  close(handle: Buffer): Promise<void> {
    const options = { operation: 'blob.close', signal: undefined };
    return this.#connection
      .call<void>(options, (sftp, done) => sftp.close(handle, (error) => done(error, undefined)))
      .catch(() => {});
  }

  /**
   * Gives a file a second name: `linked`, `missing` when its directory (or the file) is not there, `failed` when the
   * server says no more than that, which it does for a name that is taken.
   * @throws IngotError `refused` when the server has no hard links.
   */
  async link(path: string, newPath: string, options: CallOptions): Promise<'linked' | 'missing' | 'failed'> {
    try {
      await this.#connection.call<void>(options, (sftp, done) => {
        try {
          sftp.ext_openssh_hardlink(path, newPath, (error) => done(error, undefined));
        } catch (cause) {
          throw noHardLinks(cause);
        }
      });
      return 'linked';
    } catch (error) {
      const status = statusOf(error);
      if (status === SFTP_STATUS.noSuchFile) return 'missing';
      if (status === SFTP_STATUS.failure) return 'failed';
      if (status === SFTP_STATUS.unsupported) throw noHardLinks(error);
      throw answerError(error, options.operation, newPath);
    }
  }

  /** Removes a file: `removed`, `missing`, or `failed` (a directory, for one). One request. */
  async unlink(path: string, options: CallOptions): Promise<'removed' | 'missing' | 'failed'> {
    return this.#remove(path, options, (sftp, done) => sftp.unlink(path, done));
  }

  /** Removes an empty directory: `removed`, `missing`, or `failed` (it is not empty). One request. */
  async removeDirectory(path: string, options: CallOptions): Promise<'removed' | 'missing' | 'failed'> {
    return this.#remove(path, options, (sftp, done) => sftp.rmdir(path, done));
  }

  /** Makes a directory: `made`, `missing` when its parent is not there, `failed` when it is there itself, for one. */
  async makeDirectory(path: string, options: CallOptions): Promise<'made' | 'missing' | 'failed'> {
    const { directory: mode, force } = await this.#modesOfWrites(options);
    try {
      await this.#connection.call<void>(options, (sftp, done) => sftp.mkdir(path, { mode }, (e) => done(e, undefined)));
    } catch (error) {
      const status = statusOf(error);
      if (status === SFTP_STATUS.noSuchFile) return 'missing';
      if (status === SFTP_STATUS.failure) return 'failed';
      throw answerError(error, options.operation, path);
    }
    if (force)
      await this.#told(path, options, () =>
        this.#connection.call<void>(options, (sftp, done) => sftp.setstat(path, { mode }, (e) => done(e, undefined))),
      );
    return 'made';
  }

  /** Lists a directory, or gives undefined when it is not there. One request per hundred names, about. */
  async list(path: string, options: CallOptions): Promise<DirectoryEntry[] | undefined> {
    return this.#orMissing(path, options, () =>
      this.#connection.call<DirectoryEntry[]>(options, (sftp, done) => sftp.readdir(path, done)),
    );
  }

  /** How many bytes are free where a path lies; undefined when the server does not tell. */
  async freeBytes(path: string, options: CallOptions): Promise<number | undefined> {
    try {
      const { f_bavail, f_frsize } = await this.#connection.call<StatVfs>(options, (sftp, done) =>
        sftp.ext_openssh_statvfs(path, done),
      );
      return Number(f_bavail) * Number(f_frsize);
    } catch {
      // Whatever it was that failed before is what has to be reported.
      return undefined;
    }
  }

  async #modesOfWrites(options: CallOptions): Promise<FileModes> {
    this.#modes ??= await this.#chooseModes(this, options);
    return this.#modes;
  }

  async #remove(
    path: string,
    options: CallOptions,
    request: (sftp: SFTPWrapper, done: (error?: Error) => void) => void,
  ): Promise<'removed' | 'missing' | 'failed'> {
    try {
      await this.#connection.call<void>(options, (sftp, done) => request(sftp, (error) => done(error, undefined)));
      return 'removed';
    } catch (error) {
      const status = statusOf(error);
      if (status === SFTP_STATUS.noSuchFile) return 'missing';
      if (status === SFTP_STATUS.failure) return 'failed';
      throw answerError(error, options.operation, path);
    }
  }

  async #told<T>(path: string, options: CallOptions, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw answerError(error, options.operation, path);
    }
  }

  async #orMissing<T>(path: string, options: CallOptions, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (statusOf(error) === SFTP_STATUS.noSuchFile) return undefined;
      throw answerError(error, options.operation, path);
    }
  }
}

function noHardLinks(cause: unknown): IngotError {
  return new IngotError(
    'refused',
    'this SFTP server has no hard links (hardlink@openssh.com), so two writers could overwrite each other: nothing is written',
    { operation: 'blob.write', hint: 'use OpenSSH as the server, or another storage; reading works', cause },
  );
}
