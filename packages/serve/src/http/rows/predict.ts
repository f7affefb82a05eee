import { IngotError } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import { describeValue } from '../describe-value.ts';
import type { Exchange } from '../exchange.ts';
import { parseJsonBody, withExactIntegers } from '../json-body.ts';
import { readJsonBody } from '../media-type.ts';
import { type Dialect, answerPrediction, checkedMethod } from '../prediction.ts';
import { send } from '../reply.ts';
import { modelParam } from '../model-param.ts';
import { predictionsToJson } from './predictions.ts';

/**
 * `POST /predict/<model>`: rows in, one prediction a row out. The version comes from the path or `?version=`, another
 * method of the model from `?method=`.
 */
export async function predictRows(exchange: Exchange): Promise<void> {
  const body = parseJsonBody(await readJsonBody(exchange), exchange.context.limits);
  const version = exchange.params.version ?? exchange.queryValue('version');
  const method = checkedMethod(exchange.queryValue('method'));
  const dialect: Dialect = {
    decode: (codec) =>
      withMethod({ inputs: withExactIntegers(body, (value) => codec.decodeRows(rowsFrom(value))) }, method),
    encode: (result, codec) => ({ body: answerText(result, codec.outputs, rowCount(body.value), codec.identity) }),
  };
  if (Array.isArray(body.value) && body.value.length === 0) return answerNothing(exchange, version);
  await answerPrediction(exchange, { model: modelParam(exchange), version }, dialect);
}

/** No rows get no predictions, and the model, which may not take empty input, is not asked. */
async function answerNothing(exchange: Exchange, version: string | undefined): Promise<void> {
  const lease = await exchange.context.host.lease(modelParam(exchange), version, { signal: exchange.signal });
  exchange.served = lease.served;
  lease[Symbol.dispose]();
  const { model, version: number, digest } = lease.served;
  await send(exchange, { body: JSON.stringify({ predictions: [], model, version: number, digest }) });
}

/** The rows that a body holds: a list, or a single object. */
function rowsFrom(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'object' && value !== null) return [value];
  throw new IngotError(
    'invalid-request',
    `the body is ${describeValue(value)}; send a list of rows, or one row as an object`,
  );
}

function rowCount(value: unknown): number {
  return Array.isArray(value) ? value.length : 1;
}

function withMethod(request: PredictRequest, method: string | undefined): PredictRequest {
  return method === undefined ? request : { ...request, method };
}

function answerText(
  result: PredictResult,
  outputs: Parameters<typeof predictionsToJson>[1],
  rows: number,
  identity: string,
): string {
  const { predictions, labels } = predictionsToJson(result.outputs, outputs, rows);
  return `{"predictions":${predictions},${labels === undefined ? '' : `"labels":${labels},`}${identity}}`;
}
