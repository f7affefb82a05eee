/** What failures of HTTP mean for whoever uses a store, in their words. */

import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorCode } from '../../errors.ts';
import { IngotError, isIngotError, systemErrorCode } from '../../errors.ts';

/** What a message about a failed request names. */
export interface RequestWords {
  /** `blob.read`, `blob.write`, … */
  readonly operation: string;
  /** What was asked for, without secrets. */
  readonly url: string;
  /** How credentials are given: a sentence for the hint of a 401. */
  readonly credentialsHint: string;
}

const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'forbidden',
  402: 'forbidden',
  403: 'forbidden',
  407: 'forbidden',
  413: 'refused',
  414: 'usage',
  451: 'forbidden',
  507: 'disk-full',
  408: 'unavailable',
  423: 'unavailable',
  425: 'unavailable',
  429: 'unavailable',
};

const SAID: Readonly<Record<number, string>> = {
  401: 'the server does not accept the user or password',
  403: 'the server does not allow it',
  405: 'the server does not do that under this path',
  501: 'the server cannot do that',
  407: 'a proxy asks for a password',
  413: 'the server refuses bodies of this size; raise its limit (nginx: client_max_body_size, Apache: LimitRequestBody)',
  414: 'the server refuses names of this length',
  423: 'somebody holds a lock on it',
  429: 'the server asks for fewer requests',
  507: 'the server has no space left',
};

// Apache, for one, answers so to a reader who writes.
const WRITE_NOT_LET = 'the server does not accept the user or password, or does not let this user write';

const NO_DAV = 'is the path of the address right, and is WebDAV switched on there?';
const HINTS: Readonly<Record<number, string>> = {
  403: 'ask who runs the server for the right, or name another user',
  405: NO_DAV,
  501: NO_DAV,
};

const NOBODY_THERE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);
const HOST_HINT = 'look at host and port of the address, and whether the server runs';

/** Gives the error of an answer that nobody expected. */
export function statusError(status: number, headers: IncomingHttpHeaders, words: RequestWords): IngotError {
  const code = STATUS_CODES[status] ?? (status >= 500 && status !== 501 && status !== 505 ? 'unavailable' : 'refused');
  const isWrite = /\.(?:write|delete)$/.test(words.operation);
  const said = status === 401 && isWrite ? WRITE_NOT_LET : (SAID[status] ?? 'the server does not do it');
  const hint = status === 401 ? words.credentialsHint : HINTS[status];
  const retryAfterMs = retryAfter(headers['retry-after']);
  return new IngotError(code, `${verbOf(words.operation)} of ${words.url} failed: ${said} (HTTP ${status})`, {
    operation: words.operation,
    details: { url: words.url, status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Gives the error of a request that got no answer, or a torn one. Errors that are explained already stay as they are. */
export function networkError(error: unknown, words: RequestWords): IngotError {
  if (isIngotError(error)) return error;
  const system = systemErrorCode(error) ?? '';
  const said = error instanceof Error && error.message !== '' ? error.message : String(error);
  const what = `${verbOf(words.operation)} of ${words.url} failed`;
  if (isCertificateProblem(system))
    return new IngotError('unavailable', `${what}: the certificate of the server is not trusted (${system})`, {
      operation: words.operation,
      retryable: false,
      hint: 'NODE_EXTRA_CA_CERTS=/path/to/ca.pem   (where your organisation has its own certificates)',
      details: { url: words.url, system },
      cause: error,
    });
  // OpenSSL's own words say nothing to a user.
  if (system === 'EPROTO' && /wrong version number|packet length too long/.test(said))
    return new IngotError('unavailable', `${what}: the server does not speak TLS on this port`, {
      operation: words.operation,
      retryable: false,
      hint: `the port of https, or the address without TLS: webdav:// or http:// in place of webdavs:// or https://`,
      details: { url: words.url, system },
      cause: error,
    });
  // Anything without a system code comes from the HTTP parser: what answers does not speak HTTP.
  return new IngotError('unavailable', `${what}: ${said}`, {
    operation: words.operation,
    details: { url: words.url, ...(system === '' ? {} : { system }) },
    ...(NOBODY_THERE.has(system) ? { hint: HOST_HINT } : {}),
    cause: error,
  });
}

/** The error of a connection over which nothing came for too long. */
export function stallError(silenceMs: number, words: RequestWords): IngotError {
  const seconds = Math.round(silenceMs / 100) / 10;
  return new IngotError(
    'unavailable',
    `${verbOf(words.operation)} of ${words.url} stalled: nothing moved for ${seconds} seconds`,
    { operation: words.operation, details: { url: words.url } },
  );
}

function isCertificateProblem(system: string): boolean {
  return /CERT|UNABLE_TO_|SELF_SIGNED|ERR_TLS|ERR_SSL|HOSTNAME_MISMATCH/.test(system);
}

function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Number(value) * 1000 : undefined;
}

function verbOf(operation: string): string {
  return operation.slice(operation.indexOf('.') + 1);
}
