import { IngotError } from '@ingot/core/errors';
import type { Feature } from '@ingot/core/signature';
import type { Lease } from '../../model-host.ts';
import { signatureOf } from '../codec.ts';
import type { Exchange } from '../exchange.ts';
import { modelParam } from '../model-param.ts';
import { sendJson } from '../reply.ts';
import { versionsNamed } from '../served-versions.ts';
import { datatypeOf, shapeOf } from '../signature/datatype.ts';
import type { VersionStatistics } from '../statistics.ts';
import { tensorMetadata } from './tensor-metadata.ts';

/** `GET /v2/models/<model>[/versions/<version>]`: inputs and outputs as tensors. */
export async function modelMetadata(exchange: Exchange): Promise<void> {
  const document = await withLease(exchange, (lease) => {
    const { model, platform } = lease.served;
    const versions = exchange.context.host
      .index()
      .filter((served) => served.model === model && served.state === 'READY');
    const signature = signatureOf(lease);
    return {
      name: model,
      versions: versions.map((served) => served.version),
      platform: lease.predictor.platform || platform,
      inputs: tensorMetadata(signature?.inputs ?? []),
      outputs: tensorMetadata(signature?.outputs ?? []),
    };
  });
  await sendJson(exchange, document);
}

/** `GET /v2/models/<model>[/versions/<version>]/ready`; loads nothing. */
export function modelReady(exchange: Exchange): void | Promise<void> {
  const versions = versionsNamed(exchange);
  const loaded = versions.find((served) => served.state === 'READY');
  if (loaded !== undefined) return sendJson(exchange, { name: loaded.model, ready: true });
  const [served] = versions;
  const why = served?.reason === undefined ? '' : `: ${served.reason}`;
  throw new IngotError('model-not-ready', `${modelParam(exchange)} is ${served?.state ?? 'UNAVAILABLE'}${why}`, {
    details: { name: modelParam(exchange), ready: false },
  });
}

/** `GET /v2/models/<model>[/versions/<version>]/config`: the model configuration that Triton's clients ask for. */
export async function modelConfig(exchange: Exchange): Promise<void> {
  const document = await withLease(exchange, (lease) => {
    const signature = signatureOf(lease);
    return {
      name: lease.served.model,
      platform: lease.predictor.platform,
      backend: lease.served.flavor === 'onnx' ? 'onnxruntime' : 'python',
      version_policy: { specific: { versions: numbersOf(lease.served.version) } },
      max_batch_size: 0,
      input: (signature?.inputs ?? []).map(configured),
      output: (signature?.outputs ?? []).map(configured),
      parameters: { digest: { string_value: lease.served.digest } },
    };
  });
  await sendJson(exchange, document);
}

/** `GET /v2/models[/<model>[/versions/<version>]]/stats`: counters and times since the server started. */
export function modelStatistics(exchange: Exchange): void | Promise<void> {
  const { host, statistics } = exchange.context;
  const versions = exchange.params.model === undefined ? host.index() : versionsNamed(exchange);
  return sendJson(exchange, { model_stats: versions.map((served) => statisticsDocument(statistics.of(served))) });
}

async function withLease<T>(exchange: Exchange, read: (lease: Lease) => T): Promise<T> {
  const lease = await exchange.context.host.lease(modelParam(exchange), exchange.params.version, {
    signal: exchange.signal,
  });
  try {
    exchange.served = lease.served;
    return read(lease);
  } finally {
    lease[Symbol.dispose]();
  }
}

function configured(feature: Feature): {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly number[];
} {
  const datatype = datatypeOf(feature);
  return {
    name: feature.name,
    data_type: `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`,
    dims: shapeOf(feature),
  };
}

function statisticsDocument(of: VersionStatistics): object {
  const none = { count: 0, ns: 0 };
  return {
    name: of.name,
    version: of.version,
    last_inference: of.lastInferenceMs,
    inference_count: of.inferenceCount,
    execution_count: of.executionCount,
    inference_stats: {
      success: of.success,
      fail: of.fail,
      queue: of.queue,
      compute_input: of.computeInput,
      compute_infer: of.computeInfer,
      compute_output: of.computeOutput,
      cache_hit: none,
      cache_miss: none,
    },
    response_stats: {},
    batch_stats: [],
    memory_usage: [],
  };
}

/** Triton knows versions as numbers; the version of a plain file may be none. */
function numbersOf(version: string): number[] {
  return /^\d+$/.test(version) ? [Number(version)] : [];
}
