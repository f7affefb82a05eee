/** How requests of the SDK travel: kept connections, no timers but the sockets' own, bodies without copies. */

import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';

/** A request as the SDK hands it over. */
export interface OutgoingRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

/** An answer as the SDK takes it. */
export interface IncomingResponse {
  readonly response: {
    readonly statusCode: number;
    readonly reason: string;
    readonly headers: Record<string, string>;
    readonly body: IncomingMessage;
  };
}

/** Options of {@link createHttpHandler}. */
export interface HttpHandlerOptions {
  /** How long a connection may carry nothing while something is expected of it. */
  readonly silenceMs: number;
  /** Keeps connections without TLS. */
  readonly plain: Agent;
  /** Keeps connections with TLS. */
  readonly secure: Agent;
}

/** A handler in the form that the SDK's clients take. */
export interface HttpHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: OutgoingRequest, options?: { readonly abortSignal?: unknown }): Promise<IncomingResponse>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
  destroy(): void;
}

/**
 * Makes a handler that fails a request whose connection is silent, also between two bytes of its body and while it is
 * being connected. A response whose reader is slow is not silent.
 */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { plain, secure } = options;
  const send = (request: OutgoingRequest, signal: AbortSignal | undefined) =>
    exchange(request, request.protocol === 'https:' ? secure : plain, options.silenceMs, signal);
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request, { abortSignal } = {}) => {
      const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
      try {
        return await send(request, signal);
      } catch (error) {
        // A kept connection that the server closes just now never took the request: what only reads is sent again.
        if (!(error instanceof StaleConnection)) throw error;
        if (signal?.aborted === true || !['GET', 'HEAD'].includes(request.method)) throw error.cause;
        return await send(request, signal);
      }
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}

class StaleConnection extends Error {}

function exchange(
  outgoing: OutgoingRequest,
  agent: Agent,
  silenceMs: number,
  signal: AbortSignal | undefined,
): Promise<IncomingResponse> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(abortError());
    const begin = outgoing.protocol === 'https:' ? requestHttps : requestHttp;
    const request = begin(requestOptionsOf(outgoing, agent, silenceMs));
    request.once('response', (body) => {
      const { statusCode = 0, statusMessage: reason = '' } = body;
      resolve({ response: { statusCode, reason, headers: headersOf(body), body } });
    });
    const stop = () => {
      reject(abortError());
      request.destroy();
    };
    signal?.addEventListener('abort', stop, { once: true });
    request.once('close', () => signal?.removeEventListener('abort', stop));
    request.on('error', (error) => {
      reject(request.reusedSocket && isReset(error) ? new StaleConnection('', { cause: error }) : error);
    });
    request.on('timeout', () => endIfSilent(request, silenceMs));
    sendBody(request, outgoing.body);
  });
}

// A paused socket is one whose reader takes its time.
function endIfSilent(request: ClientRequest, silenceMs: number): void {
  if (request.socket?.isPaused() === true) return;
  request.destroy(Object.assign(new Error(`no answer for ${silenceMs / 1000} s`), { code: 'ETIMEDOUT' }));
}

function sendBody(request: ClientRequest, body: unknown): void {
  if (body instanceof Readable) {
    body.once('error', (error) => request.destroy(error));
    body.pipe(request);
  } else if (typeof body === 'string' || body instanceof Uint8Array) {
    request.end(body);
  } else {
    request.end();
  }
}

function requestOptionsOf(outgoing: OutgoingRequest, agent: Agent, timeout: number): RequestOptions {
  const query = queryOf(outgoing.query ?? {});
  return {
    agent,
    timeout,
    method: outgoing.method,
    host: outgoing.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: outgoing.port,
    path: query === '' ? outgoing.path : `${outgoing.path}?${query}`,
    headers: outgoing.headers,
  };
}

function queryOf(query: NonNullable<OutgoingRequest['query']>): string {
  return Object.keys(query)
    .sort()
    .flatMap((name) => {
      const value = query[name];
      if (value === null || value === undefined) return [escaped(name)];
      const values = typeof value === 'string' ? [value] : value;
      return values.map((one) => `${escaped(name)}=${escaped(one)}`);
    })
    .join('&');
}

// What the signature is made over; encodeURIComponent leaves out five characters.
function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function headersOf(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

const isReset = (error: NodeJS.ErrnoException) => error.code === 'ECONNRESET' || error.code === 'EPIPE';

const abortError = () => Object.assign(new Error('the request was aborted'), { name: 'AbortError' });
