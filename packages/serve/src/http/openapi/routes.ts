import type { ServedVersion } from '../../model-host.ts';
import type { Exchange } from '../exchange.ts';
import { modelParam } from '../model-param.ts';
import { sendJson } from '../reply.ts';
import { versionsNamed } from '../served-versions.ts';
import { openapiDocument } from './document.ts';

/** `GET /openapi.json`: the whole server. */
export function serverOpenapi(exchange: Exchange): void | Promise<void> {
  const { host, version } = exchange.context;
  const models = host.models().flatMap((name) => shown(host.index().filter((served) => served.model === name)));
  return sendJson(exchange, openapiDocument({ title: 'Ingot model server', version, models }));
}

/** `GET /v2/models/<model>/openapi.json`: one model. */
export function modelOpenapi(exchange: Exchange): void | Promise<void> {
  const models = shown(versionsNamed(exchange));
  return sendJson(
    exchange,
    openapiDocument({ title: modelParam(exchange), version: models[0]?.version ?? '0', models, modelsOnly: true }),
  );
}

/** The version whose signature stands for a model's: the newest that is ready, else the newest. */
export function shown(versions: readonly ServedVersion[]): readonly ServedVersion[] {
  const ready = versions.filter((served) => served.state === 'READY');
  return (ready.length > 0 ? ready : versions).slice(-1);
}
