import { IngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { ModelCodec } from '../codec.ts';
import type { Exchange } from '../exchange.ts';
import { parseJsonBody, withExactIntegers } from '../json-body.ts';
import { mediaType, readJsonBody } from '../media-type.ts';
import { modelParam } from '../model-param.ts';
import { answerPrediction, checkedMethod } from '../prediction.ts';
import { readBody } from '../request-body.ts';
import { send } from '../reply.ts';
import { predictionsToJson } from '../rows/predictions.ts';
import { csvRows } from './csv.ts';
import { envelopeRows, openEnvelope } from './envelope.ts';

/** A scoring request whose rows become tensors once the model is known. */
interface Scoring {
  readonly params: JsonObject;
  readonly decode: (codec: ModelCodec) => Decoded;
}

interface Decoded {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
}

/** `POST /invocations` and `POST /models/<model>/invocations`: MLflow's scoring protocol. */
export async function invocations(exchange: Exchange): Promise<void> {
  const model = exchange.params.model === undefined ? onlyModel(exchange) : modelParam(exchange);
  const scoring = await readScoring(exchange);
  const method = checkedMethod(scoring.params.method);
  let rows = 0;
  await answerPrediction(
    exchange,
    { model, version: exchange.params.version ?? exchange.queryValue('version') },
    {
      decode(codec) {
        const decoded = scoring.decode(codec);
        rows = decoded.rows;
        return method === undefined ? { inputs: decoded.inputs } : { inputs: decoded.inputs, method };
      },
      encode(result, codec) {
        const { predictions } = predictionsToJson(result.outputs, codec.outputs, rows);
        return { body: `{"predictions":${predictions}}`, headers: ignoredParams(scoring.params) };
      },
    },
  );
}

async function readScoring(exchange: Exchange): Promise<Scoring> {
  const type = mediaType(exchange);
  if (type === 'text/csv') {
    const text = (await readBody(exchange)).toString();
    return { params: {}, decode: (codec) => decodeRows(codec, csvRows(text, codec.inputs)) };
  }
  const body = parseJsonBody(await readJsonBody(exchange, ['application/json', 'text/csv']), exchange.context.limits);
  return {
    params: openEnvelope(body.value).params,
    decode: (codec) =>
      withExactIntegers(body, (value) => decodeRows(codec, envelopeRows(openEnvelope(value), codec.inputs))),
  };
}

function decodeRows(codec: ModelCodec, rows: readonly unknown[]): Decoded {
  if (rows.length === 0) throw new IngotError('invalid-request', 'the request holds no rows');
  return { inputs: codec.decodeRows(rows), rows: rows.length };
}

/** MLflow ignores parameters that a model does not declare; so do we, and say it. */
function ignoredParams(params: JsonObject): readonly string[] {
  const ignored = Object.keys(params).filter((name) => name !== 'method');
  return ignored.length === 0
    ? []
    : ['ingot-warning', `params ignored: ${encodeURI(ignored.join(', ').slice(0, 200))}`];
}

/** Without a model in the path there must be exactly one to mean. */
function onlyModel(exchange: Exchange): string {
  const models = exchange.context.host.models();
  const [only] = models;
  if (only !== undefined && models.length === 1) return only;
  const routes = models.map((model) => `/models/${encodeURIComponent(model)}/invocations`);
  throw new IngotError(
    'invalid-request',
    `/invocations needs exactly one model, ${models.length} are served; use ${routes.slice(0, 5).join(' or ') || 'ingot serve REF'}`,
    { details: { routes } },
  );
}

/** `GET /ping` and `GET /health`: 200 once the models are ready, as MLflow's scoring server answers. */
export function ping(exchange: Exchange): void | Promise<void> {
  const ok = exchange.context.host.ready() && !exchange.context.draining();
  if (ok) return send(exchange, { contentType: 'text/plain', body: '\n' });
  throw new IngotError('model-not-ready', 'the models are not ready yet');
}

/** `GET /version`: the server's version as plain text. */
export function versionText(exchange: Exchange): void | Promise<void> {
  return send(exchange, { contentType: 'text/plain', body: exchange.context.version });
}
