import { type IngotError, isIngotError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../json.ts';
import type { BlobBody, ByteRange } from '../blob-store.ts';
import type { HttpClient } from '../http/client.ts';
import { openRange } from '../http/open-range.ts';
import { stopIfInterrupted } from '../interrupt.ts';

/** What going straight to the storage needs. */
export interface DirectBlobsOptions {
  /** Asks the registry server. */
  readonly ask: (path: string, document: JsonObject, signal: AbortSignal | undefined) => Promise<JsonObject>;
  /** Makes a client for a place of the storage; it carries no credentials of the server. */
  readonly connect: (origin: string) => Promise<HttpClient>;
}

/** An address that is good for a while, and headers that must go with it. */
interface SignedAddress {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly goodUntil: number;
}

/** Only packs are large enough to be worth asking for an address. */
const WORTH_KEY = /^packs\/.*\.pack$/;
/** A signed address is not begun to be used so shortly before its end. */
const MARGIN_MS = 30_000;
const KEPT = 4096;

/**
 * Blobs by addresses that the storage has signed for a while. Where the server offers none, or the storage cannot be
 * reached from here, everything goes through the server, and nothing is asked again.
 */
export class DirectBlobs {
  readonly #options: DirectBlobsOptions;
  readonly #clients = new Map<string, Promise<HttpClient>>();
  readonly #known = new Map<string, Promise<SignedAddress | undefined>>();
  #reads = true;
  #writes = true;

  constructor(options: DirectBlobsOptions) {
    this.#options = options;
  }

  /** Opens a range of a blob; undefined: the server must be asked for it. */
  async open(key: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    if (!this.#reads || !WORTH_KEY.test(key)) return undefined;
    const address = await this.#readAddress(key, signal);
    if (address === undefined) return undefined;
    try {
      const client = await this.#client(address.url.origin);
      const opened = await openRange(client, { path: pathOf(address.url), key, range, signal });
      return typeof opened === 'string' ? undefined : opened;
    } catch (error) {
      stopIfInterrupted(signal, 'blob.read');
      if (!isUnreachable(error)) throw error;
      this.#reads = false;
      return undefined;
    }
  }

  /** Writes a blob that must not be there; undefined: it must go through the server. */
  async write(key: string, body: BlobBody, signal: AbortSignal | undefined): Promise<'created' | 'exists' | undefined> {
    if (!this.#writes || !WORTH_KEY.test(key)) return undefined;
    const address = await this.#address({ key, method: 'PUT', sizeBytes: body.sizeBytes }, signal);
    if (address === undefined) return undefined;
    try {
      const client = await this.#client(address.url.origin);
      const { headers } = address;
      const request = { method: 'PUT', path: pathOf(address.url), headers, key, body, operation: 'blob.write', signal };
      const reply = await client.send(request);
      await reply.discard();
      if (reply.status === 412 || reply.status === 409) return 'exists';
      if (reply.status >= 200 && reply.status < 300) return 'created';
      throw reply.error();
    } catch (error) {
      stopIfInterrupted(signal, 'blob.write');
      if (!isUnreachable(error)) throw error;
      this.#writes = false;
      return undefined;
    }
  }

  async #readAddress(key: string, signal: AbortSignal | undefined): Promise<SignedAddress | undefined> {
    const known = await this.#known.get(key);
    if (known !== undefined && known.goodUntil > Date.now()) return known;
    const asked = this.#address({ key, method: 'GET' }, signal);
    this.#known.set(key, asked);
    asked.catch(() => this.#known.delete(key));
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
    return await asked;
  }

  async #address(wanted: JsonObject, signal: AbortSignal | undefined): Promise<SignedAddress | undefined> {
    const { url, headers, expiresInSeconds, throughServer } = await this.#options.ask('direct', wanted, signal);
    if (typeof url !== 'string' || typeof expiresInSeconds !== 'number') {
      // For this blob alone, or for none that there is.
      if (throughServer !== true) this.#reads = this.#writes = false;
      return undefined;
    }
    const goodUntil = Date.now() + expiresInSeconds * 1000 - MARGIN_MS;
    return { url: new URL(url), headers: textsOf(headers), goodUntil };
  }

  #client(origin: string): Promise<HttpClient> {
    const known = this.#clients.get(origin) ?? this.#options.connect(origin);
    this.#clients.set(origin, known);
    return known;
  }
}

function pathOf({ pathname, search }: URL): string {
  return `${pathname}${search}`;
}

function textsOf(headers: unknown): Readonly<Record<string, string>> {
  if (!isJsonObject(headers)) return {};
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** A storage that only the server reaches, or that refuses what it has signed: everything goes through the server then. */
function isUnreachable(error: unknown): error is IngotError {
  return isIngotError(error, 'unavailable', 'forbidden', 'timeout', 'refused');
}
