/** What a registry's refusals mean for whoever uses it, in their words. Source: distribution-spec, "Error Codes". */

import type { HttpReply } from '../blob/http/client.ts';
import { type ErrorCode, IngotError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';
import { loginHint } from './registry-auth.ts';

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_SAID = 300;

/** What was asked for. */
export interface RegistryWords {
  readonly host: string;
  /** `registry.example.com/team/churn`. */
  readonly repository: string;
  /** `pull`, `push`: what the caller would need to be allowed. */
  readonly operation: string;
  /** What of the repository: `the manifest 7`, `the blob sha256:…`. */
  readonly what: string;
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  408: 'unavailable',
  416: 'precondition-failed',
  425: 'unavailable',
  429: 'overloaded',
  507: 'disk-full',
};

const SAID: Readonly<Record<number, string>> = {
  401: 'lets nobody in without valid credentials',
  403: 'does not allow it',
  404: 'does not have it',
  405: 'does not do that',
  413: 'refuses contents of this size',
  429: 'asks for fewer requests',
  501: 'does not do that',
  507: 'has no space left',
};

/** Makes the error of an answer that refuses; reads its body for what the registry says. */
export async function registryFailure(reply: HttpReply, words: RegistryWords): Promise<IngotError> {
  const { status } = reply;
  const { code: theirs, message } = await errorOf(reply);
  const isAway = status >= 500 && status !== 501 && status !== 505 && status !== 507;
  const code = theirs === 'DIGEST_INVALID' ? 'integrity' : (CODES[status] ?? (isAway ? 'unavailable' : 'refused'));
  const waitMs = retryAfterMs(reply.headers['retry-after']);
  const said = SAID[status] ?? (isAway ? 'cannot answer now' : 'refuses it');
  const quoted = message === '' ? '' : `: ${message}`;
  return new IngotError(code, `${words.repository}: ${words.host} ${said} (${words.what}, HTTP ${status})${quoted}`, {
    operation: words.operation,
    details: {
      repository: words.repository,
      status,
      ...(theirs === '' ? {} : { registryCode: theirs }),
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    },
    ...(code === 'unauthenticated' ? { hint: loginHint(words.host) } : {}),
  });
}

/** The first of the errors a registry lists, made safe to print. */
async function errorOf(reply: HttpReply): Promise<{ readonly code: string; readonly message: string }> {
  let text: string;
  try {
    text = await reply.text(MAX_ERROR_BYTES);
  } catch {
    // The status says what counts.
    return { code: '', message: '' };
  }
  const body = parseJson(text);
  const errors = isJsonObject(body) ? body.errors : undefined;
  const first = Array.isArray(errors) ? errors[0] : undefined;
  const { code, message } = isJsonObject(first) ? first : {};
  return { code: printable(code), message: printable(message) };
}

function printable(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, MAX_SAID);
}

/** Reads `Retry-After`: seconds, or a date. */
export function retryAfterMs(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
