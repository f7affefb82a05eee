/**
 * An *exchange* is one request and its reply. Everything that a handler needs hangs off it; what costs something
 * (query, abort signal) is made when first asked for.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServedVersion } from '../model-host.ts';
import type { ServeContext } from './context.ts';

/** One request and its reply. */
export class Exchange {
  readonly context: ServeContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly startedAt: number;
  /** Values of the route's `:parts`, decoded. */
  params: Readonly<Record<string, string | undefined>> = {};
  /** The route's name in metrics, never text from outside. */
  route = 'unmatched';
  /** The version that answers, as soon as it is known; its name and digest go into the reply's headers. */
  served: ServedVersion | undefined;
  /** Bytes of the body as they came over the wire. */
  receivedBytes = 0;
  /** Set when the reply was counted. */
  finished = false;
  #abort: AbortController | undefined;
  #query: URLSearchParams | undefined;

  constructor(context: ServeContext, request: IncomingMessage, response: ServerResponse) {
    this.context = context;
    this.request = request;
    this.response = response;
    this.startedAt = context.monotonic();
  }

  /** Aborted when the client goes away before the reply is complete. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.response.destroyed) abort.abort();
      else this.response.once('close', () => this.response.writableFinished || abort.abort());
    }
    return this.#abort.signal;
  }

  /** A parameter behind the `?`; its first value when it was given more than once. */
  queryValue(name: string): string | undefined {
    const url = this.request.url ?? '';
    const mark = url.indexOf('?');
    if (mark === -1) return undefined;
    this.#query ??= new URLSearchParams(url.slice(mark + 1));
    return this.#query.get(name) ?? undefined;
  }

  /** A request header by its lower-case name; the first value when it was sent more than once. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** A path parameter that the route is known to have. */
  param(name: string): string {
    return this.params[name] ?? '';
  }
}
