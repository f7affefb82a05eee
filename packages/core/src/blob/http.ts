/**
 * Blobs that any web server hands out, for reading: the directory of a store behind Apache, nginx, a CDN or a public
 * bucket. Names are those of a local store (`local/names.ts`). Where the server has index pages, everything is listed;
 * where it has none, logs are found by their numbers (`http/known-keys.ts`), which is enough to use the store.
 */

import { IngotError } from '../errors.ts';
import type { BlobEntry, BlobOptions, BlobReadOptions, BlobStat, BlobStore } from './blob-store.ts';
import { authorizationOf, type HttpAddress, isLoopback, parseHttpAddress } from './http/address.ts';
import { HttpClient, type HttpReply, MAX_CONNECTIONS } from './http/client.ts';
import { type IndexedName, parseIndexPage } from './http/index-page.ts';
import { findKnown } from './http/known-keys.ts';
import { isFolder, lengthOf, type OpenedRange, openRange } from './http/open-range.ts';
import { walkIndex } from './http/walk.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey } from './key.ts';
import { type FileNames, INNER_FILE, STORE_NAMES } from './local/names.ts';
import { DIRECTORY_FORM_MARK } from './local/place.ts';
import { checkRange } from './range.ts';
import { agentsFor } from './remote/agents.ts';
import { silenceMs } from './silence.ts';

/** What opening a store over HTTP depends on. */
export interface HttpBlobStoreOptions {
  /** `INGOT_HTTP_USER`, `INGOT_HTTP_PASSWORD`, `INGOT_HTTP_TOKEN`, `INGOT_STORAGE_TIMEOUT`, `NODE_EXTRA_CA_CERTS`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is told of what is odd but works: a password that is sent unencrypted. Default: nobody is. */
  readonly onWarning?: (message: string) => void;
  /** Default: those of a store. */
  readonly names?: FileNames;
}

const CREDENTIALS_HINT = 'set INGOT_HTTP_USER and INGOT_HTTP_PASSWORD, or INGOT_HTTP_TOKEN';
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

/** Caches between a server and its readers remember what was missing for about so long. */
const STALENESS_MS = 60_000;

class HttpBlobStore implements BlobStore {
  readonly address: string;
  readonly capabilities = {
    createIfAbsent: 'no',
    stalenessMs: STALENESS_MS,
    localFiles: false,
    readOnly: true,
  } as const;
  readonly #client: HttpClient;
  readonly #place: HttpAddress;
  readonly #names: FileNames;
  #directoryForm: Promise<boolean> | undefined;
  #hasIndex: boolean | undefined;
  #answered = false;

  constructor(client: HttpClient, place: HttpAddress, names: FileNames = STORE_NAMES) {
    this.address = place.shown;
    this.#client = client;
    this.#place = place;
    this.#names = names;
  }

  async stat(key: string, { signal }: BlobOptions = {}): Promise<BlobStat | undefined> {
    const path = checkedPath(this.#names, key, signal, 'blob.stat');
    const found = await this.#head(path, 'blob.stat', signal);
    if (found !== 'folder') return found;
    const inner = (await this.#isDirectoryForm(signal))
      ? await this.#head(`${path}/${INNER_FILE}`, 'blob.stat', signal)
      : undefined;
    return inner === 'folder' ? undefined : inner;
  }

  async *read(key: string, { signal, range }: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(range);
    const path = checkedPath(this.#names, key, signal, 'blob.read');
    const open = (at: string) => this.#open({ path: this.#url(at), key, range, signal });
    let opened = await open(path);
    if (opened === 'folder' && (await this.#isDirectoryForm(signal))) opened = await open(`${path}/${INNER_FILE}`);
    if (typeof opened === 'string')
      throw new IngotError('content-not-found', `there is no blob "${key}" at ${this.address}`, { details: { key } });
    yield* opened;
  }

  async write(key: string): Promise<never> {
    checkKey(key);
    throw this.#readOnly('write');
  }

  async delete(key: string): Promise<never> {
    checkKey(key);
    throw this.#readOnly('delete');
  }

  async *list(
    prefix: string,
    { signal, after }: BlobOptions & { readonly after?: string } = {},
  ): AsyncIterable<BlobEntry> {
    stopIfInterrupted(signal, 'blob.list');
    const look = (key: string) => this.stat(key, signal ? { signal } : {});
    if (await this.#isIndexed(signal)) {
      const directoryForm = await this.#isDirectoryForm(signal);
      const index = async (path: string) => (await this.#index(path, signal)) ?? [];
      yield* walkIndex({ index, look, directoryForm }, { prefix, after, signal, names: this.#names });
      return;
    }
    const known = await findKnown(prefix, after, look);
    if (known === undefined && (await look('ingot.json')) === undefined) return;
    if (known === undefined)
      throw new IngotError('refused', `${this.address} has no index pages, so "${prefix}" cannot be listed`, {
        operation: 'blob.list',
        hint: 'switch index pages on in the server (Apache: Options +Indexes, nginx: autoindex on), or use the storage itself',
      });
    for (const entry of known) {
      stopIfInterrupted(signal, 'blob.list');
      yield entry;
    }
  }

  async #head(
    path: string,
    operation: string,
    signal: AbortSignal | undefined,
  ): Promise<BlobStat | 'folder' | undefined> {
    const url = this.#url(path);
    const headers = { 'accept-encoding': 'identity', 'cache-control': 'no-cache' };
    const reply = await this.#client.send({ method: 'HEAD', path: url, headers, operation, signal });
    await reply.discard();
    if (isFolder(reply, url)) return 'folder';
    if (this.#isMissing(reply, path)) return undefined;
    if (reply.status !== 200) throw reply.error();
    this.#answered = true;
    const sizeBytes = lengthOf(reply);
    if (sizeBytes === undefined)
      throw new IngotError('refused', `the server does not say how long "${path}" is`, { operation });
    return { sizeBytes, modifiedAt: new Date(reply.headers['last-modified'] ?? 0), ...revisionOf(reply) };
  }

  async #open(request: Parameters<typeof openRange>[1]): Promise<OpenedRange> {
    const opened = await openRange(this.#client, request, (reply) => this.#isMissing(reply, request.key));
    if (typeof opened !== 'string') this.#answered = true;
    return opened;
  }

  // Public buckets forbid what is not there, so that nobody learns what is; applications answer everything with a page.
  #isMissing(reply: HttpReply, name: string): boolean {
    if ([404, 405, 410].includes(reply.status)) return true;
    if (reply.status === 403) return this.#answered;
    return reply.status === 200 && isPage(reply) && !/\.html?$/.test(name);
  }

  async #isIndexed(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#hasIndex === undefined) this.#hasIndex = (await this.#index('', signal)) !== undefined;
    return this.#hasIndex;
  }

  async #index(path: string, signal: AbortSignal | undefined): Promise<IndexedName[] | undefined> {
    const url = this.#url(path);
    const headers = { accept: 'text/html', 'accept-encoding': 'identity' };
    const reply = await this.#client.send({ method: 'GET', path: url, headers, operation: 'blob.list', signal });
    if (reply.status === 200) {
      return parseIndexPage(await reply.text(MAX_INDEX_BYTES), new URL(url, this.#place.origin), this.#names);
    }
    await reply.discard();
    if ([400, 403, 404, 405, 410].includes(reply.status)) return undefined;
    throw reply.error();
  }

  #isDirectoryForm(signal: AbortSignal | undefined): Promise<boolean> {
    this.#directoryForm ??= this.#head(DIRECTORY_FORM_MARK, 'blob.stat', signal).then(
      (found) => found !== undefined,
      (error: unknown) => {
        this.#directoryForm = undefined;
        throw error;
      },
    );
    return this.#directoryForm;
  }

  #url(path: string): string {
    return `${this.#place.root}${path.split('/').map(encodeURIComponent).join('/')}${this.#place.query}`;
  }

  #readOnly(what: string): IngotError {
    return new IngotError(
      'refused',
      `${this.address} is read-only: nothing can be ${what === 'write' ? 'written' : 'deleted'} over HTTP`,
      {
        operation: `blob.${what}`,
        hint: 'write to the storage behind it, by its own address (a path, s3://…, webdavs://…)',
        details: { address: this.address },
      },
    );
  }
}

function isPage(reply: HttpReply): boolean {
  return /^text\/html\b/.test(reply.headers['content-type'] ?? '');
}

function revisionOf(reply: HttpReply): { readonly revision?: string } {
  const { etag } = reply.headers;
  return etag === undefined ? {} : { revision: etag };
}

function checkedPath(names: FileNames, key: string, signal: AbortSignal | undefined, operation: string): string {
  checkKey(key);
  stopIfInterrupted(signal, operation);
  return key.split('/').map(names.nameOf).join('/');
}

/**
 * Opens what a web server hands out below an address as a blob store that only reads; nothing is sent yet. A query in
 * the address (an access signature) goes with every request. Reading a range needs a server that knows ranges to be
 * fast; one that does not sends whole files, of which the rest is thrown away.
 * @throws IngotError `usage` for a malformed address.
 *
 * @example
 * const store = await openHttpBlobStore('https://models.example.com/team/', { env: process.env });
 */
export async function openHttpBlobStore(address: string, options: HttpBlobStoreOptions): Promise<BlobStore> {
  const place = parseHttpAddress(address);
  const { env } = options;
  const user = place.user ?? env.INGOT_HTTP_USER;
  const password = env.INGOT_HTTP_PASSWORD ?? place.password;
  const authorization = authorizationOf(user, password, env.INGOT_HTTP_TOKEN);
  if (!place.isSecure && authorization !== undefined && !isLoopback(place.host))
    options.onWarning?.(`${place.shown} has no TLS: the password goes over the network unencrypted; use https://`);
  const client = new HttpClient({
    origin: place.origin,
    authorization,
    credentialsHint: CREDENTIALS_HINT,
    agents: await agentsFor({ endpoint: place.origin, env }, MAX_CONNECTIONS),
    silenceMs: silenceMs(env),
  });
  return new HttpBlobStore(client, place, options.names);
}
