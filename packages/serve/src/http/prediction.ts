import { IngotError } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Lease } from '../model-host.ts';
import { type ModelCodec, codecOf } from './codec.ts';
import type { Exchange } from './exchange.ts';
import { type Reply, send } from './reply.ts';

/** Which model is asked. Without a version: its default. */
export interface Target {
  readonly model: string;
  readonly version?: string | undefined;
}

/** How one protocol turns a request into tensors and tensors into a reply. */
export interface Dialect {
  /** Throws `invalid-request` or `signature-mismatch`. */
  decode(codec: ModelCodec): PredictRequest;
  encode(result: PredictResult, codec: ModelCodec, lease: Lease): Reply;
}

/** Leases the model, asks it, sends the answer, and counts all of it. Nothing here touches registry, store or disk. */
export async function answerPrediction(exchange: Exchange, target: Target, dialect: Dialect): Promise<void> {
  const { host } = exchange.context;
  // The exchange itself is the options: its signal is made only for those who read it.
  const leased = host.lease(target.model, target.version, exchange);
  const lease = leased instanceof Promise ? await leased : leased;
  let reply: Reply;
  try {
    reply = await predict(exchange, lease, dialect);
  } finally {
    lease[Symbol.dispose]();
  }
  await send(exchange, reply);
}

async function predict(exchange: Exchange, lease: Lease, dialect: Dialect): Promise<Reply> {
  const { monotonic, statistics, clock } = exchange.context;
  exchange.served = lease.served;
  const startedAt = monotonic();
  try {
    const codec = codecOf(lease);
    const request = dialect.decode(codec);
    const decodedAt = monotonic();
    const result = await lease.predictor.predict(request, exchange);
    const predictedAt = monotonic();
    const reply = dialect.encode(result, codec, lease);
    statistics.succeeded(lease.served, rowsOf(request.inputs), clock.now(), {
      startedAt,
      decodedAt,
      predictedAt,
      encodedAt: monotonic(),
      ...(result.queuedMs === undefined ? {} : { queuedMs: result.queuedMs }),
    });
    return reply;
  } catch (thrown) {
    statistics.failed(lease.served, monotonic() - startedAt);
    throw thrown;
  }
}

/** Rows of a request: the first dimension of its first tensor. */
export function rowsOf(inputs: readonly Tensor[]): number {
  return inputs[0]?.shape[0] ?? 1;
}

const METHOD = /^(?:predict(?:_[a-z0-9_]{1,60})?|decision_function|score_samples|transform|explain)$/;

/**
 * Checks the name of a model's method, which comes from outside: only methods that answer, never ones that fit or set.
 * @throws IngotError `invalid-request`.
 */
export function checkedMethod(name: unknown): string | undefined {
  if (name === undefined || name === null) return undefined;
  if (typeof name === 'string' && METHOD.test(name)) return name;
  throw new IngotError(
    'invalid-request',
    'method must be "predict", "predict_…", "decision_function", "score_samples", "transform" or "explain"',
  );
}
