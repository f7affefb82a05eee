import type { Exchange } from './exchange.ts';

/**
 * The model that a path names. A namespaced name comes percent-encoded (`team%2Fchurn`), or as two segments from clients
 * that leave the slash alone.
 */
export function modelParam(exchange: Exchange): string {
  const model = exchange.param('model');
  return exchange.params.namespace === undefined ? model : `${exchange.params.namespace}/${model}`;
}
