/**
 * Blobs of a store behind a registry server, as far as it lets the caller: packs are sent and read through it, or, where
 * the storage hands out addresses that are signed for a while, straight to and from the storage. What may be read and
 * written is the server's decision (`docs/api.md`): contents of models that the caller may read, and uploads of its own.
 */

import { errorOfProblem } from '../problem.ts';
import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../json.ts';
import type { BlobBody, BlobEntry, BlobOptions, BlobReadOptions, BlobStat, BlobStore } from './blob-store.ts';
import { retrying } from './layers/retrying.ts';
import { retryOptions } from './open.ts';
import { isLoopback, parseHttpAddress, type HttpAddress } from './http/address.ts';
import { HttpClient, type HttpReply, type HttpRequest, MAX_CONNECTIONS } from './http/client.ts';
import { lengthOf, openRange } from './http/open-range.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey } from './key.ts';
import { checkRange } from './range.ts';
import { agentsFor } from './remote/agents.ts';
import { DirectBlobs } from './server/direct.ts';
import { silenceMs } from './silence.ts';

/** What opening the blobs of a server depends on. */
export interface ServerBlobStoreOptions {
  /** `INGOT_STORAGE_TIMEOUT`, `NODE_EXTRA_CA_CERTS`, proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Value of the `Authorization` header; sent to this server only. Default: none. */
  readonly authorization?: string | undefined;
  /** Whether bytes may go straight to and from the storage, where the server offers it. Default: true. */
  readonly direct?: boolean;
  /** Is told of what is odd but works. Default: nobody is. */
  readonly onWarning?: (message: string) => void;
}

const CREDENTIALS_HINT = 'ingot login URL, or set INGOT_TOKEN';
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Blobs behind a registry server, and the server itself. */
export interface ServerBlobs extends BlobStore {
  /** Asks the server something about contents with a document: `path` is below `/api/v1/`. Throws what it says is wrong. */
  readonly ask: AskServer;
}

class ServerBlobStore implements ServerBlobs {
  readonly address: string;
  readonly capabilities = { createIfAbsent: 'yes', stalenessMs: 0, localFiles: false, readOnly: false } as const;
  readonly #client: HttpClient;
  readonly #place: HttpAddress;
  readonly #direct: DirectBlobs | undefined;

  constructor(client: HttpClient, place: HttpAddress, direct: ((ask: AskServer) => DirectBlobs) | undefined) {
    this.address = place.shown;
    this.#client = client;
    this.#place = place;
    this.#direct = direct?.(this.ask);
  }

  async stat(key: string, { signal }: BlobOptions = {}): Promise<BlobStat | undefined> {
    const reply = await this.#send({ method: 'HEAD', path: this.#urlOf(key), operation: 'blob.stat', signal });
    await reply.discard();
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw errorOfProblem(reply.status, '', this.#shown(key));
    const sizeBytes = lengthOf(reply);
    if (sizeBytes === undefined)
      throw new IngotError('unavailable', `${this.#shown(key)} has no length`, { operation: 'blob.stat' });
    return { sizeBytes, modifiedAt: new Date(reply.headers['last-modified'] ?? 0) };
  }

  async *read(key: string, { signal, range }: BlobReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(range);
    const path = this.#urlOf(key);
    stopIfInterrupted(signal, 'blob.read');
    const elsewhere = await this.#direct?.open(key, range, signal);
    const opened = elsewhere ?? (await openRange(this.#client, { path, key, range, signal }, isMissing));
    if (typeof opened === 'string')
      throw new IngotError('content-not-found', `there is no blob "${key}" at ${this.address}`, { details: { key } });
    yield* opened;
  }

  async write(key: string, body: BlobBody, { signal }: BlobOptions = {}): Promise<'created' | 'exists'> {
    const path = this.#urlOf(key);
    const direct = await this.#direct?.write(key, body, signal);
    if (direct !== undefined) return direct;
    const headers = { 'if-none-match': '*', 'content-type': 'application/octet-stream' };
    const reply = await this.#send({ method: 'PUT', path, headers, key, body, operation: 'blob.write', signal });
    return await createdOrExists(reply, this.#shown(key));
  }

  async delete(key: string, { signal }: BlobOptions = {}): Promise<void> {
    const reply = await this.#send({ method: 'DELETE', path: this.#urlOf(key), operation: 'blob.delete', signal });
    const text = await reply.text(MAX_ANSWER_BYTES);
    if (reply.status !== 204 && reply.status !== 404) throw errorOfProblem(reply.status, text, this.#shown(key));
  }

  async *list(
    prefix: string,
    { signal, after }: BlobOptions & { readonly after?: string } = {},
  ): AsyncIterable<BlobEntry> {
    for (let from: string | undefined = after ?? ''; from !== undefined; ) {
      stopIfInterrupted(signal, 'blob.list');
      const page: JsonObject = await this.#page(prefix, from, signal);
      yield* entriesOf(page);
      from = typeof page.next === 'string' ? page.next : undefined;
    }
  }

  async #page(prefix: string, after: string, signal: AbortSignal | undefined): Promise<JsonObject> {
    const query = new URLSearchParams({ prefix, ...(after && { after }) });
    const path = `${this.#place.root}api/v1/blobs?${query}`;
    const reply = await this.#send({ method: 'GET', path, operation: 'blob.list', signal });
    return await documentOf(reply, this.#shown(prefix));
  }

  readonly ask: AskServer = async (path, document, signal) => {
    const payload = JSON.stringify(document);
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) };
    const url = `${this.#place.root}api/v1/${path}`;
    const reply = await this.#send({ method: 'POST', path: url, headers, payload, operation: 'blob.direct', signal });
    return await documentOf(reply, `${this.#place.origin}${url}`);
  };

  #send(request: HttpRequest): Promise<HttpReply> {
    return this.#client.send(request);
  }

  #urlOf(key: string): string {
    checkKey(key);
    return `${this.#place.root}api/v1/blobs/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  #shown(key: string): string {
    return `${this.#place.shown}/api/v1/blobs/${key}`;
  }
}

/** Asks the server something with a document, and gives its answer. Throws what it says is wrong. */
export type AskServer = (path: string, document: JsonObject, signal: AbortSignal | undefined) => Promise<JsonObject>;

const isMissing = ({ status }: HttpReply): boolean => status === 404;

/** What a write with `If-None-Match: *` came to. */
export async function createdOrExists(reply: HttpReply, shown: string): Promise<'created' | 'exists'> {
  const text = await reply.text(MAX_ANSWER_BYTES);
  if (reply.status === 201 || reply.status === 200) return 'created';
  if (reply.status === 412 || reply.status === 409) return 'exists';
  throw errorOfProblem(reply.status, text, shown);
}

async function documentOf(reply: HttpReply, shown: string): Promise<JsonObject> {
  const text = await reply.text(MAX_ANSWER_BYTES);
  if (reply.status !== 200) throw errorOfProblem(reply.status, text, shown);
  const value = parseJson(text);
  if (isJsonObject(value)) return value;
  throw new IngotError('unavailable', `${shown} does not answer as a registry server does`, { retryable: false });
}

function entriesOf({ blobs }: JsonObject): readonly BlobEntry[] {
  if (!Array.isArray(blobs)) return [];
  return blobs.flatMap((entry: unknown) => {
    if (!isJsonObject(entry)) return [];
    const { key, sizeBytes, modifiedAt } = entry;
    if (typeof key !== 'string' || typeof sizeBytes !== 'number' || typeof modifiedAt !== 'string') return [];
    return [{ key, sizeBytes, modifiedAt: new Date(modifiedAt) }];
  });
}

/**
 * Opens the blobs of the store behind a registry server; nothing is sent yet.
 * @throws IngotError `usage` for a malformed address.
 *
 * @example
 * const blobs = await openServerBlobStore('https://models.example.com', { env: process.env, authorization: 'Bearer …' });
 */
export async function openServerBlobStore(address: string, options: ServerBlobStoreOptions): Promise<ServerBlobs> {
  const place = parseHttpAddress(address);
  const { env, authorization, direct = true } = options;
  if (!place.isSecure && authorization !== undefined && !isLoopback(place.host))
    options.onWarning?.(`${place.shown} has no TLS: the token goes over the network unencrypted; use https://`);
  const shared = { credentialsHint: CREDENTIALS_HINT, silenceMs: silenceMs(env) };
  const agentsOf = (origin: string) => agentsFor({ endpoint: origin, env }, MAX_CONNECTIONS);
  const client = new HttpClient({
    ...shared,
    origin: place.origin,
    authorization,
    agents: await agentsOf(place.origin),
  });
  const connect = async (origin: string) => new HttpClient({ ...shared, origin, agents: await agentsOf(origin) });
  const blobs = new ServerBlobStore(client, place, direct ? (ask) => new DirectBlobs({ ask, connect }) : undefined);
  return { ...retrying(blobs, retryOptions(blobs.address, options)), ask: blobs.ask };
}
