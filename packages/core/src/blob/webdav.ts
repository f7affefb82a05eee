/**
 * Blobs on a WebDAV server. Each blob is a collection with one file in it, `<key>/.blob`: the layout that a network
 * share without hard links has too (`webdav/place.ts` says why). What lies there as plain files is read all the same.
 */

import { randomBytes } from 'node:crypto';
import { IngotError } from '../errors.ts';
import type { BlobBody, BlobEntry, BlobOptions, BlobReadOptions, BlobStat, BlobStore } from './blob-store.ts';
import { authorizationOf, isLoopback, parseHttpAddress } from './http/address.ts';
import { HttpClient, MAX_CONNECTIONS } from './http/client.ts';
import { openRange } from './http/open-range.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey } from './key.ts';
import { type FileNames, INNER_FILE, STORE_NAMES } from './local/names.ts';
import { checkRange } from './range.ts';
import { agentsFor } from './remote/agents.ts';
import { silenceMs } from './silence.ts';
import { Dav, type DavOptions } from './webdav/dav.ts';
import { Folders } from './webdav/folders.ts';
import { kindOf, placeCollection } from './webdav/place.ts';
import { TemporaryCollections } from './webdav/temporary.ts';
import { walkCollections } from './webdav/walk.ts';

/** What opening a WebDAV store depends on. */
export interface WebdavBlobStoreOptions {
  /** `INGOT_WEBDAV_USER`, `INGOT_WEBDAV_PASSWORD`, `INGOT_WEBDAV_TOKEN`, `INGOT_STORAGE_TIMEOUT`, `NODE_EXTRA_CA_CERTS`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is told of what is odd but works: a password that is sent unencrypted. Default: nobody is. */
  readonly onWarning?: (message: string) => void;
  /** Age in milliseconds after which what a dead writer left is removed. Default: one day. */
  readonly staleAfterMs?: number;
  /** Names temporary collections; must never repeat. Default: 16 random bytes as hex. */
  readonly randomId?: () => string;
  /** Default: those of a store. */
  readonly names?: FileNames;
}

const CREDENTIALS_HINT = 'set INGOT_WEBDAV_USER and INGOT_WEBDAV_PASSWORD, or INGOT_WEBDAV_TOKEN';

/** A body up to this size is sent without asking first whether its key is taken: asking would cost as much. */
const LOOK_FIRST_BYTES = 64 * 1024;

/** A folder named by a random id belongs to one writer, so that nobody else can be writing into it when it is empty. */
const ONE_WRITERS = /^(?:.*\/)?[0-9a-f]{16,}$/;

class WebdavBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities = { createIfAbsent: 'unverified', stalenessMs: 0, localFiles: false, readOnly: false } as const;
  readonly #client: HttpClient;
  readonly #dav: Dav;
  readonly #names: FileNames;
  readonly #folders: Folders;
  readonly #temporary: TemporaryCollections;

  constructor(address: string, client: HttpClient, dav: Dav, options: WebdavBlobStoreOptions) {
    this.address = address;
    this.#client = client;
    this.#dav = dav;
    this.#names = options.names ?? STORE_NAMES;
    this.#folders = new Folders(dav);
    const randomId = options.randomId ?? (() => randomBytes(16).toString('hex'));
    this.#temporary = new TemporaryCollections(dav, this.#folders, randomId, options.staleAfterMs ?? 86_400_000);
  }

  async stat(key: string, { signal }: BlobOptions = {}): Promise<BlobStat | undefined> {
    const path = checkedPath(this.#names, key, signal, 'blob.stat');
    const there = await this.#dav.look(path, { operation: 'blob.stat', signal });
    if (there === undefined) return undefined;
    const file = there.self.isCollection ? there.children.get(INNER_FILE) : there.self;
    return file && { sizeBytes: file.sizeBytes, modifiedAt: file.modifiedAt };
  }

  async *read(key: string, { signal, range }: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(range);
    const path = checkedPath(this.#names, key, signal, 'blob.read');
    const wanted = { key, range, signal };
    let opened = await openRange(this.#client, { path: this.#dav.pathOf(`${path}/${INNER_FILE}`), ...wanted });
    if (typeof opened === 'string') {
      const there = await this.#dav.look(path, { operation: 'blob.read', signal });
      if (there !== undefined && kindOf(there) === 'file')
        opened = await openRange(this.#client, { path: this.#dav.pathOf(path), ...wanted });
    }
    if (typeof opened === 'string')
      throw new IngotError('content-not-found', `there is no blob "${key}" in ${this.address}`, { details: { key } });
    yield* opened;
  }

  async write(key: string, body: BlobBody, { signal }: BlobOptions = {}): Promise<'created' | 'exists'> {
    const path = checkedPath(this.#names, key, signal, 'blob.write');
    const options = { operation: 'blob.write', signal };
    if (body.sizeBytes > LOOK_FIRST_BYTES && (await this.stat(key, signal ? { signal } : {})) !== undefined)
      return 'exists';
    const temporary = await this.#temporary.create(options);
    try {
      await this.#dav.put(`${temporary}/${INNER_FILE}`, key, body, options);
      stopIfInterrupted(signal, 'blob.write');
      const result = await placeCollection(this.#dav, this.#folders, temporary, path, options);
      if (result === 'exists') await this.#temporary.discard(temporary, signal);
      return result;
    } catch (error) {
      await this.#temporary.discard(temporary, signal);
      throw error;
    }
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    const path = checkedPath(this.#names, key, signal, 'blob.delete');
    const options = { operation: 'blob.delete', signal };
    const there = await this.#dav.look(path, options);
    const kind = there && kindOf(there);
    if (kind === undefined || kind === 'folder') return;
    if (kind === 'file') await this.#dav.remove(path, options);
    else await this.#removeBlob(path, options);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (ONE_WRITERS.test(parent)) await this.#pruneFolder(parent, options);
  }

  async *list(
    prefix: string,
    { signal, after }: BlobOptions & { readonly after?: string } = {},
  ): AsyncIterable<BlobEntry> {
    stopIfInterrupted(signal, 'blob.list');
    yield* walkCollections(this.#dav, { prefix, after, signal, names: this.#names });
  }

  // Removing the file and then its collection would leave a collection that is neither if it stopped in between: it is
  // moved out of the way first, at once.
  async #removeBlob(path: string, options: DavOptions): Promise<void> {
    const aside = await this.#temporary.reserve(options);
    const reply = await this.#dav.move(path, aside, options);
    if (reply.status === 404) return;
    if (reply.status < 200 || reply.status > 299) throw reply.error();
    await this.#dav.remove(`${aside}/`, options);
  }

  async #pruneFolder(path: string, options: DavOptions): Promise<void> {
    const there = await this.#dav.look(path, options);
    if (there === undefined || there.children.size > 0 || !there.self.isCollection) return;
    this.#folders.forget(path);
    await this.#dav.remove(`${path}/`, options);
  }
}

function checkedPath(names: FileNames, key: string, signal: AbortSignal | undefined, operation: string): string {
  checkKey(key);
  stopIfInterrupted(signal, operation);
  return key.split('/').map(names.nameOf).join('/');
}

/**
 * Opens a folder of a WebDAV server as a blob store; nothing is sent yet. The folder is made with the first write.
 * User and password come from the address (`webdavs://user:password@host/path`), or better from `INGOT_WEBDAV_USER` and
 * `INGOT_WEBDAV_PASSWORD`; `INGOT_WEBDAV_TOKEN` is sent as a bearer token. `webdav://` is without TLS.
 * @throws IngotError `usage` for a malformed address.
 *
 * @example
 * const store = await openWebdavBlobStore('webdavs://ana@files.example.com/models', { env: process.env });
 */
export async function openWebdavBlobStore(address: string, options: WebdavBlobStoreOptions): Promise<BlobStore> {
  const { shown, origin, root, host, isSecure, ...login } = parseHttpAddress(address);
  const { env } = options;
  const user = login.user ?? env.INGOT_WEBDAV_USER;
  const password = env.INGOT_WEBDAV_PASSWORD ?? login.password;
  const authorization = authorizationOf(user, password, env.INGOT_WEBDAV_TOKEN);
  if (!isSecure && authorization !== undefined && !isLoopback(host))
    options.onWarning?.(`${shown} has no TLS: the password goes over the network unencrypted; use webdavs://`);
  const client = new HttpClient({
    origin,
    authorization,
    credentialsHint: CREDENTIALS_HINT,
    agents: await agentsFor({ endpoint: origin, env }, MAX_CONNECTIONS),
    silenceMs: silenceMs(env),
  });
  return new WebdavBlobStore(shown, client, new Dav(client, origin, root), options);
}
