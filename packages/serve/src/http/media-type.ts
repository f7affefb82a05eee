import { IngotError } from '@ingot/core/errors';
import type { Exchange } from './exchange.ts';
import { readBody } from './request-body.ts';

/** The media type of a body without its parameters, lower case; empty when the client did not say. */
export function mediaType(exchange: Exchange): string {
  const header = exchange.header('content-type');
  if (header === undefined || header === 'application/json') return header ?? '';
  return (header.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Says whether a media type means JSON; a body without one is taken for JSON. */
export function isJsonType(type: string): boolean {
  return type === '' || type === 'application/json' || type.endsWith('+json');
}

/**
 * The refusal of a body in a form that is not understood. Pickle, npy and the like are refused here: nothing that
 * arrives over the wire is ever unpickled.
 */
export function unsupportedType(type: string, supported: readonly string[]): IngotError {
  return new IngotError(
    'unsupported-media-type',
    `a body of type "${type.slice(0, 80)}" is not understood; send ${supported.join(' or ')}`,
    {
      hint: `-H 'content-type: ${supported[0]}'`,
      details: { supported },
    },
  );
}

/** Throws `unsupported-media-type` unless the body is JSON. */
export function assertJson(exchange: Exchange): void {
  const type = mediaType(exchange);
  if (!isJsonType(type)) throw unsupportedType(type, ['application/json']);
}

/** What `curl -d` and `fetch` say about a text body when nobody told them what it is. */
const UNTOLD: ReadonlySet<string> = new Set(['application/x-www-form-urlencoded', 'text/plain']);

/**
 * Reads the body of a prediction, which is JSON. A body whose type a client made up for lack of a better one is taken when
 * it begins like JSON: predictions change nothing, so a page of somewhere else that sends one gains nothing.
 * @throws IngotError `unsupported-media-type`.
 */
export async function readJsonBody(
  exchange: Exchange,
  supported: readonly string[] = ['application/json'],
): Promise<Buffer> {
  const type = mediaType(exchange);
  if (isJsonType(type)) return readBody(exchange);
  if (!UNTOLD.has(type)) throw unsupportedType(type, supported);
  const body = await readBody(exchange);
  if (beginsLikeJson(body)) return body;
  throw unsupportedType(type, supported);
}

function beginsLikeJson(body: Buffer): boolean {
  const first = /[^\s\uFEFF]/.exec(body.toString('utf8', 0, 1024))?.[0];
  return first === '[' || first === '{';
}
