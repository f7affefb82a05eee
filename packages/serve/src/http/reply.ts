import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ServedVersion } from '../model-host.ts';
import { errorReply, loggedError } from './error-document.ts';
import type { Exchange } from './exchange.ts';
import { afterBody } from './request-body.ts';

const compress = promisify(gzip);
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** What a handler answers. */
export interface Reply {
  readonly status?: number;
  /** Default `application/json`. */
  readonly contentType?: string;
  readonly body: string | Uint8Array;
  /** More headers: name, value, name, value. */
  readonly headers?: readonly string[];
}

/** Sends a reply, compressed when it is large and the client accepts gzip, and counts the exchange. */
export function send(exchange: Exchange, reply: Reply): void | Promise<void> {
  const { limits } = exchange.context;
  if (reply.body.length < limits.compressFromBytes || !acceptsGzip(exchange.header('accept-encoding'))) {
    return write(exchange, reply);
  }
  return compress(reply.body, { level: 1 }).then((body) =>
    write(exchange, {
      ...reply,
      body,
      headers: [...(reply.headers ?? []), 'content-encoding', 'gzip', 'vary', 'accept-encoding'],
    }),
  );
}

/** Sends a JSON document with status 200. */
export function sendJson(exchange: Exchange, document: unknown): void | Promise<void> {
  return send(exchange, { body: JSON.stringify(document) });
}

/** Sends what was thrown as an error document; what is not the caller's fault goes to the log. */
export function sendError(
  exchange: Exchange,
  thrown: unknown,
  options: { readonly status?: number; readonly headers?: readonly string[] } = {},
): void {
  const { status: usual, document, retryAfterSeconds } = errorReply(thrown);
  const status = options.status ?? usual;
  if (status >= 500) logFailure(exchange, status, thrown);
  if (exchange.response.headersSent) {
    exchange.response.destroy();
    return;
  }
  const retry = retryAfterSeconds === undefined ? [] : ['retry-after', String(retryAfterSeconds)];
  write(exchange, { status, body: JSON.stringify(document), headers: [...(options.headers ?? []), ...retry] });
}

function write(exchange: Exchange, reply: Reply): void {
  const { response, context } = exchange;
  const { body } = reply;
  const sizeBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  finish(exchange, reply.status ?? 200, sizeBytes);
  if (response.destroyed || response.headersSent) return;
  const headers = ['content-type', reply.contentType ?? 'application/json', 'content-length', String(sizeBytes)];
  if (reply.headers !== undefined) headers.push(...reply.headers);
  if (exchange.served !== undefined) headers.push(...modelHeaders(exchange.served));
  const id = exchange.header('x-request-id');
  if (id !== undefined && REQUEST_ID.test(id)) headers.push('x-request-id', id);
  if (context.draining()) headers.push('connection', 'close');
  response.writeHead(reply.status ?? 200, headers);
  if (reply.status === undefined || reply.status < 400) response.end(body);
  else {
    response.write(body);
    afterBody(exchange, () => response.end());
  }
}

const headersOf = new WeakMap<ServedVersion, readonly string[]>();

/** The headers that say which version answered. */
function modelHeaders(served: ServedVersion): readonly string[] {
  const known = headersOf.get(served);
  if (known !== undefined) return known;
  const headers = [
    'ingot-model',
    encodeURI(served.model),
    'ingot-model-version',
    served.version,
    'ingot-model-digest',
    served.digest,
  ];
  headersOf.set(served, headers);
  return headers;
}

/** Counts an exchange once, whatever became of its reply. */
export function finish(exchange: Exchange, status: number, sentBytes: number): void {
  if (exchange.finished) return;
  exchange.finished = true;
  const { metrics, monotonic } = exchange.context;
  metrics.finished(
    { route: exchange.route, model: exchange.served?.model ?? '', version: exchange.served?.version ?? '', status },
    { seconds: (monotonic() - exchange.startedAt) / 1000, receivedBytes: exchange.receivedBytes, sentBytes },
  );
}

function logFailure(exchange: Exchange, status: number, thrown: unknown): void {
  const { request, context, served } = exchange;
  context.log(status === 500 ? 'error' : 'warn', `${request.method} ${exchange.route} failed with ${status}`, {
    error: loggedError(thrown),
    ...(served === undefined ? {} : { model: served.model, version: served.version }),
    ...(exchange.header('x-request-id') === undefined ? {} : { requestId: exchange.header('x-request-id') ?? '' }),
  });
}

function acceptsGzip(header: string | undefined): boolean {
  return header !== undefined && /(?:^|,)\s*(?:gzip|\*)\s*(?:$|,|;(?!\s*q=0(?:\.0*)?\s*(?:$|,)))/i.test(header);
}
