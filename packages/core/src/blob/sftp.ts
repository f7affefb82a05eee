/**
 * Blobs as files of an SFTP server: the same layout as a local directory (`local/names.ts`), so a store can be used both
 * ways. A finished, flushed temporary file gets its name by a hard link, which fails when the name is taken.
 */

import { randomBytes } from 'node:crypto';
import { IngotError } from '../errors.ts';
import type { BlobBody, BlobEntry, BlobOptions, BlobReadOptions, BlobStat, BlobStore } from './blob-store.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey } from './key.ts';
import { isGroupsMode, sharedOf } from './local-options.ts';
import { GROUP_MODES, PRIVATE_MODES } from './local/file-system.ts';
import { BodyFailure } from './local/fill.ts';
import { type FileNames, INNER_FILE, STORE_NAMES } from './local/names.ts';
import { checkRange, fitRange } from './range.ts';
import { parseSftpAddress } from './sftp/address.ts';
import { type CallOptions, SftpConnection } from './sftp/connection.ts';
import { RemoteDirectories } from './sftp/directories.ts';
import { SFTP_STATUS } from './sftp/failures.ts';
import { SftpFiles } from './sftp/files.ts';
import { knownHostsFiles, loginMethods, readKnownHosts } from './sftp/login.ts';
import { RemoteTemporaryFiles } from './sftp/temporary.ts';
import { type RemoteFile, readAhead, writeAhead } from './sftp/transfer.ts';
import { described, walkRemote } from './sftp/walk.ts';
import { silenceMs } from './silence.ts';

/** What opening an SFTP store depends on. */
export interface SftpBlobStoreOptions {
  /**
   * `INGOT_SFTP_KEY` (path of a private key), `INGOT_SFTP_KEY_PASSPHRASE`, `INGOT_SFTP_PASSWORD`, `INGOT_SFTP_KNOWN_HOSTS`
   * (default: `~/.ssh/known_hosts`), `SSH_AUTH_SOCK`, `HOME`, `USER`, `INGOT_SHARED`, `INGOT_STORAGE_TIMEOUT`.
   */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Age in milliseconds after which the temporary files of a dead writer are removed. Default: one day. */
  readonly staleAfterMs?: number;
  /** Names temporary files; must never repeat. Default: 16 random bytes as hex. */
  readonly randomId?: () => string;
  /** Default: those of a store. */
  readonly names?: FileNames;
}

/** A body up to this size is sent without asking first whether its key is taken. */
const LOOK_FIRST_BYTES = 64 * 1024;

const ATTEMPTS = 8;

class SftpBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities = { createIfAbsent: 'unverified', stalenessMs: 0, localFiles: false, readOnly: false } as const;
  readonly #files: SftpFiles;
  readonly #root: string;
  readonly #names: FileNames;
  readonly #directories: RemoteDirectories;
  readonly #temporary: RemoteTemporaryFiles;

  constructor(address: string, root: string, files: SftpFiles, options: SftpBlobStoreOptions) {
    this.address = address;
    this.#files = files;
    this.#root = root;
    this.#names = options.names ?? STORE_NAMES;
    this.#directories = new RemoteDirectories(files, root);
    const randomId = options.randomId ?? (() => randomBytes(16).toString('hex'));
    const staleAfterMs = options.staleAfterMs ?? 86_400_000;
    this.#temporary = new RemoteTemporaryFiles(files, this.#directories, root, randomId, staleAfterMs);
  }

  async stat(key: string, { signal }: BlobOptions = {}): Promise<BlobStat | undefined> {
    const path = this.#pathOf(key, signal, 'blob.stat');
    const options = { operation: 'blob.stat', signal };
    const there = await this.#files.stat(path, options);
    const file = there?.isDirectory() ? await this.#files.stat(`${path}/${INNER_FILE}`, options) : there;
    return file && described(file);
  }

  async *read(key: string, { signal, range }: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(range);
    const path = this.#pathOf(key, signal, 'blob.read');
    const options = { operation: 'blob.read', signal };
    const file = await this.#open(path, options);
    if (file === undefined)
      throw new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
    try {
      yield* readAhead(this.#files, file, fitRange(key, file.sizeBytes, range), options);
    } finally {
      void this.#files.close(file.handle);
    }
  }

  async write(key: string, body: BlobBody, { signal }: BlobOptions = {}): Promise<'created' | 'exists'> {
    const path = this.#pathOf(key, signal, 'blob.write');
    const options = { operation: 'blob.write', signal };
    if (body.sizeBytes > LOOK_FIRST_BYTES && (await this.stat(key, signal ? { signal } : {})) !== undefined)
      return 'exists';
    let file: RemoteFile | undefined;
    try {
      file = await this.#temporary.create(options);
      try {
        await writeAhead(this.#files, file, key, body, options);
      } finally {
        void this.#files.close(file.handle);
      }
      stopIfInterrupted(signal, 'blob.write');
      return await this.#place(file.path, path, options);
    } catch (error) {
      // What cannot be removed now is swept later. Nobody waits for it: the line may be what is broken.
      if (file !== undefined) void this.#files.unlink(file.path, UNWAITED).catch(() => {});
      throw error instanceof BodyFailure ? error.cause : await this.#explained(error, body, options);
    }
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    const path = this.#pathOf(key, signal, 'blob.delete');
    const options = { operation: 'blob.delete', signal };
    const removed = await this.#files.unlink(path, options);
    if (removed === 'missing') return;
    if (removed === 'failed') {
      const inner = await this.#files.unlink(`${path}/${INNER_FILE}`, options);
      if (inner === 'missing') return;
      if (inner === 'failed')
        throw new IngotError('unavailable', `${path} cannot be removed`, {
          operation: 'blob.delete',
          details: { key },
        });
    }
    await this.#directories.prune(removed === 'failed' ? path : parentOf(path), options);
  }

  async *list(
    prefix: string,
    { signal, after }: BlobOptions & { readonly after?: string } = {},
  ): AsyncIterable<BlobEntry> {
    stopIfInterrupted(signal, 'blob.list');
    yield* walkRemote(this.#files, this.#root, { prefix, after, signal, names: this.#names });
  }

  #pathOf(key: string, signal: AbortSignal | undefined, operation: string): string {
    checkKey(key);
    stopIfInterrupted(signal, operation);
    return [this.#root, ...key.split('/').map(this.#names.nameOf)].join('/');
  }

  async #open(path: string, options: CallOptions): Promise<(RemoteFile & { readonly sizeBytes: number }) | undefined> {
    const handle = await this.#files.open(path, options);
    if (handle === undefined) return undefined;
    try {
      const there = await this.#files.statHandle(handle, path, options);
      if (!there.isDirectory()) return { handle, path, sizeBytes: there.size };
    } catch (error) {
      void this.#files.close(handle);
      throw error;
    }
    void this.#files.close(handle);
    return path.endsWith(`/${INNER_FILE}`) ? undefined : this.#open(`${path}/${INNER_FILE}`, options);
  }

  async #place(temporary: string, target: string, options: CallOptions): Promise<'created' | 'exists'> {
    for (let tries = 1; ; tries += 1) {
      const linked = await this.#files.link(temporary, target, options);
      if (linked === 'linked') {
        await this.#files.unlink(temporary, options);
        return 'created';
      }
      if (linked === 'failed' && (await this.#isTaken(target, options))) {
        await this.#files.unlink(temporary, options);
        return 'exists';
      }
      if (tries === ATTEMPTS || (linked === 'missing' && (await this.#files.stat(temporary, options)) === undefined))
        throw new IngotError('unavailable', `the server does not link ${temporary} to ${target}`, {
          operation: options.operation,
          details: { path: target },
        });
      // The parent was never made, or a deleting process pruned it just now.
      if (linked === 'missing') await this.#directories.ensure(parentOf(target), options);
    }
  }

  async #isTaken(target: string, options: CallOptions): Promise<boolean> {
    const there = await this.#files.stat(target, options);
    if (there === undefined || !there.isDirectory()) return there !== undefined;
    if ((await this.#files.stat(`${target}/${INNER_FILE}`, options)) !== undefined) return true;
    throw new IngotError('usage', `${target} is a directory: other blobs lie under this key`, {
      operation: options.operation,
    });
  }

  // The protocol has no word for a full disk: a failure that says nothing, and no space left, are one.
  async #explained(error: unknown, body: BlobBody, options: CallOptions): Promise<unknown> {
    if (!(error instanceof IngotError) || error.details.status !== SFTP_STATUS.failure) return error;
    const freeBytes = await this.#files.freeBytes(this.#root, options);
    if (freeBytes === undefined || freeBytes > body.sizeBytes) return error;
    return new IngotError('disk-full', `no space left in ${this.address}, ${freeBytes} bytes are free`, {
      operation: 'blob.write',
      details: { freeBytes },
      cause: error,
    });
  }
}

const UNWAITED: CallOptions = { operation: 'blob.write', signal: undefined };

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/**
 * Opens a directory of an SFTP server as a blob store; nothing is sent yet. Hosts must be among the known hosts, and
 * the server must have OpenSSH's hard links to be written to. The directory is made with the first write.
 * @throws IngotError `usage` for a malformed address, `forbidden` where there is nothing to log in with, `invalid-config`.
 *
 * @example
 * const store = await openSftpBlobStore('sftp://ana@files.example.com/srv/models', { env: process.env });
 */
export async function openSftpBlobStore(address: string, options: SftpBlobStoreOptions): Promise<BlobStore> {
  const { env } = options;
  const parsed = parseSftpAddress(address, env);
  const { default: ssh2 } = await import('ssh2');
  const [knownHosts, login] = await Promise.all([readKnownHosts(env), loginMethods(parsed, env, ssh2.utils.parseKey)]);
  const connection = new SftpConnection({
    address: parsed,
    knownHosts,
    knownHostsFile: knownHostsFiles(env)[0] ?? '~/.ssh/known_hosts',
    login,
    newClient: () => new ssh2.Client(),
    silenceMs: silenceMs(env),
  });
  const shared = sharedOf(env);
  const modes = async (files: SftpFiles, options: CallOptions) => {
    const isGroups = shared === 'auto' ? await isMadeForGroup(files, parsed.root, options) : shared === 'group';
    return isGroups ? GROUP_MODES : PRIVATE_MODES;
  };
  return new SftpBlobStore(parsed.shown, parsed.root, new SftpFiles(connection, modes), options);
}

async function isMadeForGroup(files: SftpFiles, root: string, options: CallOptions): Promise<boolean> {
  const there = await files.stat(root, options);
  return there !== undefined && isGroupsMode(there.mode);
}
