import { IngotError } from '@ingot/core/errors';
import type { Exchange } from './exchange.ts';

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
