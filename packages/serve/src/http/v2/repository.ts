import { IngotError } from '@ingot/core/errors';
import { type JsonObject, isJsonObject } from '@ingot/core/json';
import type { Exchange } from '../exchange.ts';
import { parseJsonBody } from '../json-body.ts';
import { assertJson } from '../media-type.ts';
import { modelParam } from '../model-param.ts';
import { readBody } from '../request-body.ts';
import { sendJson } from '../reply.ts';

/** `POST /v2/repository/index`: every version that is, or should be, loaded. */
export async function repositoryIndex(exchange: Exchange): Promise<void> {
  const { ready } = await optionalJson(exchange);
  const versions = exchange.context.host.index().filter((served) => ready !== true || served.state === 'READY');
  await sendJson(
    exchange,
    versions.map((served) => ({
      name: served.model,
      version: served.version,
      state: served.state,
      reason: served.reason ?? '',
    })),
  );
}

/** `POST /v2/repository/models/<model>/load`: loads, or loads again, a model that was configured; never one from outside. */
export async function loadModel(exchange: Exchange): Promise<void> {
  assertSameOrigin(exchange);
  const { parameters } = await optionalJson(exchange);
  const foreign = isJsonObject(parameters)
    ? Object.keys(parameters).find((key) => key === 'config' || key.startsWith('file:'))
    : undefined;
  if (foreign !== undefined) {
    throw new IngotError(
      'invalid-request',
      `loading with "${foreign.slice(0, 80)}" is not supported: models come from the store only`,
    );
  }
  await exchange.context.host.load(modelParam(exchange), { signal: exchange.signal });
  await sendJson(exchange, {});
}

/** `POST /v2/repository/models/<model>/unload`. */
export async function unloadModel(exchange: Exchange): Promise<void> {
  assertSameOrigin(exchange);
  await optionalJson(exchange);
  await exchange.context.host.unload(modelParam(exchange));
  await sendJson(exchange, {});
}

/** Clients send these requests with an empty body, `{}` or parameters. */
async function optionalJson(exchange: Exchange): Promise<JsonObject> {
  const body = await readBody(exchange);
  if (body.length === 0) return {};
  assertJson(exchange);
  const { value } = parseJsonBody(body, exchange.context.limits);
  if (isJsonObject(value)) return value;
  throw new IngotError('invalid-request', 'the body must be a JSON object, or empty');
}

/** A web page of somewhere else must not load or unload models of a server that its visitor can reach. */
function assertSameOrigin(exchange: Exchange): void {
  const origin = exchange.header('origin');
  if (
    origin === undefined ||
    origin === `http://${exchange.header('host')}` ||
    origin === `https://${exchange.header('host')}`
  )
    return;
  throw new IngotError('forbidden', `pages of ${origin.slice(0, 100)} may not load or unload models here`);
}
