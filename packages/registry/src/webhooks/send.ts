import { lookup as systemLookup } from 'node:dns';
import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { IngotError } from '@ingot/core/errors';
import type { AllowedHosts } from './private-addresses.ts';

/** One request to a webhook. */
export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a webhook answered. */
export interface PostAnswer {
  readonly status: number;
  /** The first kilobytes of the body. */
  readonly text: string;
  /** Value of `Retry-After`, as it came. */
  readonly retryAfter: string | undefined;
}

/** How webhooks are called. */
export interface SendOptions {
  readonly allowed: AllowedHosts;
  /** Longest wait for the whole answer. Default: 10,000. */
  readonly timeoutMs?: number;
  /** Asks for the addresses of a name. Default: the system's. */
  readonly lookup?: typeof systemLookup;
}

const TIMEOUT_MS = 10_000;
const MOST_TEXT = 4096;
const ALLOWED_BY = 'hosts of your own network are allowed by the setting webhook-hosts (INGOT_WEBHOOK_HOSTS)';

/**
 * Refuses addresses that no webhook may have: another scheme than https (http only for hosts that are allowed by name or
 * address), user and password, private IP addresses.
 * @throws IngotError `invalid-request`.
 */
export function checkWebhookUrl(text: string, allowed: AllowedHosts): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || text.length > 2000)
    throw refuse('the address of a webhook is an https URL');
  if (url.username !== '' || url.password !== '') throw refuse('the address of a webhook has no user or password');
  const host = hostOf(url);
  const isAddress = isIP(host) !== 0;
  if (isAddress && !allowed.mayCall(host)) throw refuse(`${host} is a private address`);
  const isNamed = allowed.hasName(host) || (isAddress && allowed.hasAddress(host));
  if (url.protocol === 'http:' && !isNamed) throw refuse('the address of a webhook begins with https://');
  return url;
}

/**
 * Sends a request, to none but addresses that are allowed: the connection goes to the very address that was checked.
 * Redirects are not followed.
 * @throws IngotError `refused` for a private address, `unavailable`, `timeout`.
 */
export async function send({ url: text, headers, body }: Post, options: SendOptions): Promise<PostAnswer> {
  const url = checkWebhookUrl(text, options.allowed);
  const { timeoutMs = TIMEOUT_MS, allowed } = options;
  const request = url.protocol === 'https:' ? tlsRequest : plainRequest;
  const settings: RequestOptions = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    agent: false,
    lookup: checkedLookup(options, allowed.hasName(hostOf(url))),
    signal: AbortSignal.timeout(timeoutMs),
  };
  return new Promise<PostAnswer>((resolve, reject) => {
    const call = request(url, settings, (answer) => {
      textOf(answer).then(
        (said) => resolve({ status: answer.statusCode ?? 0, text: said, retryAfter: answer.headers['retry-after'] }),
        (error: unknown) => reject(failure(error, timeoutMs)),
      );
    });
    call.on('error', (error) => reject(failure(error, timeoutMs)));
    call.end(body);
  });
}

/** Looks a name up once, and lets the connection have addresses that are allowed only. */
function checkedLookup({ allowed, lookup = systemLookup }: SendOptions, isNamed: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { all: true, family: options.family, hints: options.hints }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const open = isNamed ? addresses : addresses.filter(({ address }) => allowed.mayCall(address));
      const [first] = open;
      if (first === undefined || open.length < addresses.length)
        return callback(privateHost(hostname, addresses), '', 0);
      return options.all === true ? callback(null, open) : callback(null, first.address, first.family);
    });
  };
}

function privateHost(hostname: string, addresses: readonly { readonly address: string }[]): IngotError {
  const shown = addresses.slice(0, 3).map(({ address }) => address);
  const has = shown.length === 0 ? 'no address' : `a private address (${shown.join(', ')})`;
  return new IngotError('refused', `${hostname} has ${has}; ${ALLOWED_BY}`, { details: { hostname } });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    const bytes: Buffer = chunk;
    chunks.push(bytes);
    size += bytes.length;
    if (size >= MOST_TEXT) break;
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, MOST_TEXT);
}

function failure(error: unknown, timeoutMs: number): IngotError {
  if (error instanceof IngotError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError' || name === 'AbortError')
    return new IngotError('timeout', `no answer within ${timeoutMs / 1000} seconds`, { retryable: true });
  return new IngotError('unavailable', error instanceof Error ? error.message : String(error), {
    retryable: true,
    cause: error,
  });
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function refuse(why: string): IngotError {
  return new IngotError('invalid-request', why, { hint: ALLOWED_BY });
}
