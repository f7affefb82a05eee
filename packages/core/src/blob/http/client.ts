/**
 * HTTP for storages: one request with a streamed body, one reply with a streamed body, over connections that are kept.
 * What stalls is ended, what is cut is an error and never a short stream, and no other host is followed.
 */

import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { IngotError, systemErrorCode } from '../../errors.ts';
import type { BlobBody } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import type { Agents } from '../remote/agents.ts';
import { networkError, type RequestWords, stallError, statusError } from './failures.ts';
import { sendBody } from './send-body.ts';
import { movingWithin } from './waiting.ts';

/** How many connections are kept at once. */
export const MAX_CONNECTIONS = 32;

const MAX_REDIRECTS = 5;

/** Statuses that send a request to another address. */
export const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const KEPT_BYTES = 256 * 1024;

/** What a client talks to, and how. */
export interface HttpClientOptions {
  /** Scheme, host and port: `https://files.example.com`. */
  readonly origin: string;
  /** The value of the `Authorization` header. Sent to this origin only. */
  readonly authorization?: string | undefined;
  /** A sentence on how credentials are given, for the hint of a 401. */
  readonly credentialsHint: string;
  /** Makes connections. Default: without TLS, 32 at once. */
  readonly agents?: Agents;
  /** After so many milliseconds without a byte a request is given up. */
  readonly silenceMs: number;
}

/** One request. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Named in errors about the body. */
  readonly key?: string;
  readonly body?: BlobBody;
  /** A short body that says nothing about blobs; `headers` hold its length. */
  readonly payload?: string;
  readonly operation: string;
  readonly signal?: AbortSignal | undefined;
  /** Whether a reply that redirects is given as it is. Default: redirects are followed, within this origin. */
  readonly givesRedirects?: boolean;
}

/** One reply. Its body must be read, or discarded. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where the reply came from, after redirects. */
  readonly path: string;
  /** Streams the body; throws `unavailable` when it stalls or is cut. */
  body(): AsyncIterable<Uint8Array>;
  /** Reads a body that has to fit into memory. */
  text(maxBytes: number): Promise<string>;
  /** Reads a small body to its end, so that the connection can be used again, and cuts a large one. */
  discard(): Promise<void>;
  /** The error that this status is, when nobody expected it. */
  error(): IngotError;
}

/** Sends requests to one origin. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agents: Agents;
  readonly #isSecure: boolean;
  readonly #silenceMs: number;
  readonly #used = new WeakSet<Socket>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#isSecure = options.origin.startsWith('https:');
    this.#silenceMs = options.silenceMs;
    this.#agents = options.agents ?? {
      kept: new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS }),
      fresh: new Agent(),
    };
  }

  /**
   * Sends one request and gives its reply as soon as the headers are there. Redirects to the same origin are followed
   * when the request has no body.
   * @throws IngotError `unavailable`, `forbidden` (certificate), `refused` (a redirect to another host), `interrupted`; `integrity` and failures of the body as `BlobStore.write` says.
   */
  async send(request: HttpRequest): Promise<HttpReply> {
    let path = request.path;
    for (let hops = 0; ; hops += 1) {
      const reply = await this.#sendOnce({ ...request, path });
      const location = reply.headers.location;
      if (location === undefined || !REDIRECTS.includes(reply.status) || request.givesRedirects === true) return reply;
      await reply.discard();
      if (hops === MAX_REDIRECTS)
        throw new IngotError('refused', `${this.#url(request.path)} redirects in circles`, {
          operation: request.operation,
        });
      path = this.#follow(path, location, request);
    }
  }

  // A server may end a connection that was kept just as a request goes out on it: that is sent anew on another one.
  async #sendOnce(request: HttpRequest): Promise<HttpReply> {
    const stale = { is: false };
    try {
      return await this.#sendOn(this.#agents.kept, request, stale);
    } catch (error) {
      if (!stale.is || request.signal?.aborted) throw error;
      return this.#sendOn(this.#agents.fresh, request, stale);
    }
  }

  async #sendOn(agent: Agent, request: HttpRequest, stale: { is: boolean }): Promise<HttpReply> {
    const { signal, operation } = request;
    stopIfInterrupted(signal, operation);
    const words = this.#words(request);
    const sent = this.#open(request, agent);
    // Not `reusedSocket`, which says nothing of requests that waited for a connection.
    let isKept = false;
    sent.once('socket', (socket) => {
      isKept = this.#used.has(socket);
      this.#used.add(socket);
    });
    sent.once('error', (error) => {
      stale.is = isKept && ['ECONNRESET', 'EPIPE'].includes(systemErrorCode(error) ?? '');
    });
    const onAbort = () => sent.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    const release = () => signal?.removeEventListener('abort', onAbort);
    try {
      const incoming = await this.#answerOf(sent, request, words);
      incoming.once('close', release);
      // An answer that came before the whole body ends the connection, which still waits for the rest of it.
      if (!sent.writableEnded) incoming.once('close', () => sent.destroy());
      return this.#reply(incoming, request, words);
    } catch (error) {
      release();
      sent.destroy();
      stopIfInterrupted(signal, operation);
      throw error;
    }
  }

  #open({ method, path, headers, body }: HttpRequest, agent: Agent): ClientRequest {
    const { origin, authorization } = this.#options;
    const sized = body === undefined ? {} : { 'content-length': String(body.sizeBytes) };
    const request = this.#isSecure ? httpsRequest : httpRequest;
    return request(new URL(path, origin), {
      method,
      agent,
      headers: { ...(authorization === undefined ? {} : { authorization }), ...sized, ...headers },
    });
  }

  // The answer may come before the whole body was sent: then the rest is not.
  async #answerOf(sent: ClientRequest, { body, payload, key, signal }: HttpRequest, words: RequestWords) {
    const stalled = () => stallError(this.#silenceMs, words);
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.on('error', (error) => reject(networkError(error, words)));
    });
    answered.catch(() => {});
    if (body === undefined) sent.end(payload);
    else {
      const early = answered.then(() => 'answered' as const);
      const options = { silenceMs: this.#silenceMs, stalled, signal, key: key ?? words.url, early };
      await sendBody(sent, body, options);
    }
    return movingWithin(answered, this.#silenceMs, stalled);
  }

  #reply(incoming: IncomingMessage, { path, method, signal, operation }: HttpRequest, words: RequestWords): HttpReply {
    const status = incoming.statusCode ?? 0;
    const body = () => this.#bodyOf(incoming, method, signal, { ...words, operation });
    return {
      status,
      headers: incoming.headers,
      path,
      body,
      text: async (maxBytes) => (await gathered(body(), maxBytes, words)).toString('utf8'),
      discard: async () => {
        let length = 0;
        // A reply that nobody wants may break: what counts was in its status.
        try {
          for await (const piece of body()) {
            length += piece.byteLength;
            if (length > KEPT_BYTES) break;
          }
        } catch {
          incoming.destroy();
        }
      },
      error: () => statusError(status, incoming.headers, words),
    };
  }

  async *#bodyOf(
    incoming: IncomingMessage,
    method: string,
    signal: AbortSignal | undefined,
    words: RequestWords,
  ): AsyncIterable<Uint8Array> {
    const pieces = incoming[Symbol.asyncIterator]();
    const said = method === 'HEAD' ? undefined : incoming.headers['content-length'];
    let given = 0;
    try {
      for (;;) {
        stopIfInterrupted(signal, words.operation);
        const next = await movingWithin(pieces.next(), this.#silenceMs, () => stallError(this.#silenceMs, words));
        if (next.done === true) break;
        const piece: Uint8Array = next.value;
        given += piece.byteLength;
        yield piece;
      }
    } catch (error) {
      stopIfInterrupted(signal, words.operation);
      throw networkError(error, words);
    } finally {
      incoming.destroy();
    }
    if (said !== undefined && given !== Number(said))
      throw networkError(new Error(`the connection was cut after ${given} of ${said} bytes`), words);
  }

  #follow(path: string, location: string, request: HttpRequest): string {
    const { origin } = this.#options;
    const target = new URL(location, new URL(path, origin));
    const shown = `${target.origin}${target.pathname}`;
    if (target.origin !== origin)
      throw new IngotError('refused', `${this.#url(path)} redirects to another place, ${shown}`, {
        operation: request.operation,
        hint: `if the store lies there, name that address instead of ${origin}`,
        details: { url: this.#url(path), target: shown },
      });
    if (request.body !== undefined || !['GET', 'HEAD', 'PROPFIND', 'OPTIONS'].includes(request.method))
      throw new IngotError('refused', `${this.#url(path)} redirects writes to ${shown}`, {
        operation: request.operation,
        hint: 'name the address to which it redirects',
      });
    return `${target.pathname}${target.search}`;
  }

  #words({ operation, path }: HttpRequest): RequestWords {
    return { operation, url: this.#url(path), credentialsHint: this.#options.credentialsHint };
  }

  // A query may hold a signature.
  #url(path: string): string {
    return `${this.#options.origin}${path.replace(/\?.*/s, '')}`;
  }
}

async function gathered(body: AsyncIterable<Uint8Array>, maxBytes: number, words: RequestWords): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.byteLength;
    if (length > maxBytes)
      throw new IngotError('unavailable', `the answer of ${words.url} is longer than ${maxBytes} bytes`, {
        operation: words.operation,
        retryable: false,
      });
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}
