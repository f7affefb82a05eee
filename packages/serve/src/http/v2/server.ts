import type { Exchange } from '../exchange.ts';
import { send, sendJson } from '../reply.ts';

/** The protocol extensions that are really served. */
const EXTENSIONS = ['binary_tensor_data', 'model_repository', 'model_configuration', 'statistics', 'parameters'];

/** `GET /v2`: what server this is. */
export function serverMetadata(exchange: Exchange): void | Promise<void> {
  return sendJson(exchange, { name: 'ingot', version: exchange.context.version, extensions: EXTENSIONS });
}

/** `GET /v2/health/live`: the process answers. */
export function live(exchange: Exchange): void | Promise<void> {
  return sendJson(exchange, { live: true });
}

/** `GET /v2/health/ready`: every configured model has been ready once, and the server is not closing. */
export function ready(exchange: Exchange): void | Promise<void> {
  const { host, draining } = exchange.context;
  if (!draining() && host.ready()) return sendJson(exchange, { live: true, ready: true });
  const waiting = host.index().filter((served) => served.state !== 'READY');
  const error = draining()
    ? 'the server is closing'
    : `not every model is ready: ${waiting.map((served) => `${served.model}:${served.version} ${served.state}`).join(', ')}`;
  const document = { error, code: 'model-not-ready', live: true, ready: false };
  return send(exchange, { status: 503, body: JSON.stringify(document), headers: ['retry-after', '1'] });
}

/** `GET /v2/models`: the names that answer. */
export function modelNames(exchange: Exchange): void | Promise<void> {
  return sendJson(exchange, { models: exchange.context.host.models() });
}
