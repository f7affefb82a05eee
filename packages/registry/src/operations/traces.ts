/** A minimal exporter of traces: one span a request, as OTLP over HTTP in JSON. Nothing goes out unless it is asked for. */

import { randomBytes } from 'node:crypto';
import type { EndedRequest } from './metrics.ts';

/** Where traces go. */
export interface TraceOptions {
  /** `http://localhost:4318`: spans go to `/v1/traces` below it. */
  readonly endpoint: string;
  /** `name=value` pairs with commas between, sent as headers. Default: none. */
  readonly headers?: string | undefined;
  /** Default: `ingot-registry`. */
  readonly serviceName?: string | undefined;
  readonly version: string;
  /** Time between two posts, in milliseconds. Default: 5,000. */
  readonly everyMs?: number;
  readonly warn: (message: string) => void;
}

/** A request that has ended, with where it belongs. */
export interface TracedRequest extends EndedRequest {
  /** Header `traceparent`, where the caller sent one. */
  readonly traceparent: string | undefined;
  readonly requestId: string;
  /** When it began, in milliseconds since 1970. */
  readonly beganAt: number;
}

/** Sends spans. Disposing it sends what is left. */
export interface Traces extends AsyncDisposable {
  ended(request: TracedRequest): void;
}

const EVERY_MS = 5000;
const LONGEST_POST_MS = 5000;
const LAST_FLUSH_MS = 2000;
const AT_ONCE = 500;
const MOST_WAITING = 5000;
const PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const SERVER_KIND = 2;
const ERROR_STATUS = 2;

/** Opens the exporter. */
export function openTraces(options: TraceOptions): Traces {
  const { everyMs = EVERY_MS } = options;
  let waiting: object[] = [];
  let isTold = false;
  let flushing: Promise<void> | undefined;
  const send = async (signal?: AbortSignal): Promise<void> => {
    while (waiting.length > 0) {
      const spans = waiting.slice(0, AT_ONCE);
      waiting = waiting.slice(AT_ONCE);
      try {
        await post(options, spans, signal);
        isTold = false;
      } catch (error) {
        // Traces are lost sooner than requests wait for them; it is said once, until some have arrived again.
        if (!isTold) options.warn(`traces are lost: ${originOf(options.endpoint)} ${whyOf(error)}`);
        isTold = true;
        return;
      }
    }
  };
  const flush = (signal?: AbortSignal): Promise<void> => {
    flushing ??= send(signal).finally(() => {
      flushing = undefined;
    });
    return flushing;
  };
  const timer = setInterval(() => void flush(), everyMs).unref();
  return {
    ended(request) {
      if (waiting.length < MOST_WAITING) waiting.push(spanOf(request));
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      const last = AbortSignal.timeout(LAST_FLUSH_MS);
      const isLate = new Promise((resolve) => last.addEventListener('abort', resolve));
      // A collector that hangs does not keep the server from stopping.
      await Promise.race([flush(last).then(() => flush(last)), isLate]);
    },
  };
}

/** Where spans go. A user and password of the address go as a header: a request has none in its address. */
function placeOf(endpoint: string): { readonly address: URL; readonly authorization: Record<string, string> } {
  const address = new URL(`${endpoint.replace(/\/+$/, '')}/v1/traces`);
  const { username, password } = address;
  address.username = '';
  address.password = '';
  if (username === '') return { address, authorization: {} };
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address, authorization: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

class RefusedTraces extends Error {}

/** An endpoint without user, password, path and query. */
function originOf(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).origin : 'the endpoint';
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'does not answer';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'does not answer in time';
  const code: unknown = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined;
  if (typeof code === 'string') return `does not answer (${code})`;
  // What else went wrong may tell the address, and with it a secret.
  return error instanceof RefusedTraces ? error.message : 'cannot be asked';
}

function spanOf({ traceparent, requestId, beganAt, method, route, status, seconds }: TracedRequest): object {
  const parent = PARENT.exec(traceparent ?? '');
  const start = BigInt(Math.round(beganAt * 1e6));
  return {
    traceId: parent?.[1] ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    ...(parent !== null && { parentSpanId: parent[2] }),
    name: `${method} ${route}`,
    kind: SERVER_KIND,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(Math.round(seconds * 1e9))),
    attributes: [
      text('http.request.method', method),
      text('http.route', route),
      { key: 'http.response.status_code', value: { intValue: String(status) } },
      text('ingot.request_id', requestId),
    ],
    status: status >= 500 ? { code: ERROR_STATUS } : {},
  };
}

async function post(
  { endpoint, headers, serviceName = 'ingot-registry', version }: TraceOptions,
  spans: object[],
  ending: AbortSignal | undefined,
): Promise<void> {
  const signals = [AbortSignal.timeout(LONGEST_POST_MS), ...(ending === undefined ? [] : [ending])];
  const resource = { attributes: [text('service.name', serviceName), text('service.version', version)] };
  const scopeSpans = [{ scope: { name: 'ingot' }, spans }];
  const { address, authorization } = placeOf(endpoint);
  const answer = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization, ...headersOf(headers) },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }),
    signal: AbortSignal.any(signals),
    redirect: 'error',
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new RefusedTraces(`answers with status ${answer.status}`);
}

function headersOf(pairs: string | undefined): Record<string, string> {
  const entries = (pairs ?? '').split(',').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]];
  });
  return Object.fromEntries(entries);
}

function text(key: string, value: string): object {
  return { key, value: { stringValue: value } };
}
