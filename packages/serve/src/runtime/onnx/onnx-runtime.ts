import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, isIngotError } from '@ingot/core/errors';
import type { PredictResult, Predictor, Runtime, ServablePackage } from '@ingot/core/serving/runtime';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import type * as Onnx from 'onnxruntime-node';
import type { Log } from '../../log.ts';
import { type BoundGraph, bindGraph, checkMethod, failureCode, type Graph } from './bind-graph.ts';
import type { Feed, GraphValue } from './bind-inputs.ts';
import { declaredTensor } from './bind-outputs.ts';
import { DATATYPE_OF } from './datatypes.ts';
import { loadInPython } from './load-in-python.ts';

/** What is used of onnxruntime-node. */
export type OnnxModule = Pick<typeof Onnx, 'InferenceSession' | 'Tensor'>;

/** How ONNX packages are run. */
export interface OnnxRuntimeOptions {
  /** Threads for one operator. Default 1: on few cores requests run beside each other better than within each other. */
  readonly intraOpThreads?: number;
  /** Finds onnxruntime-node. Default: `import('onnxruntime-node')`. */
  readonly importOnnx?: () => Promise<OnnxModule>;
  /** Loads graphs where onnxruntime-node does not load: with the onnxruntime of Python. Default: they are refused. */
  readonly inPython?: Runtime;
  readonly log: Log;
}

/** Runs ONNX graphs inside the server's process with onnxruntime-node, which is loaded when the first graph is. */
export function onnxRuntime(options: OnnxRuntimeOptions): Runtime {
  return {
    name: 'onnx',
    supports: (flavor) => flavor === 'onnx',
    load: (model, call) => loadHereOrInPython(model, options, call),
  };
}

async function loadHereOrInPython(
  model: ServablePackage,
  options: OnnxRuntimeOptions,
  call: Parameters<Runtime['load']>[1],
): Promise<Predictor> {
  const { inPython, log } = options;
  let onnx: OnnxModule;
  try {
    onnx = await importOnnx(options);
  } catch (error) {
    if (inPython === undefined || !isIngotError(error, 'environment-mismatch')) throw error;
    log('info', "onnxruntime-node does not load here; Python's onnxruntime runs the graph");
    return loadInPython(model, inPython, log, call);
  }
  return loadOnnx(model, onnx, options);
}

async function loadOnnx(model: ServablePackage, onnx: OnnxModule, options: OnnxRuntimeOptions): Promise<Predictor> {
  if (model.artifactPath === undefined) throw new IngotError('invalid-package', 'the package names no .onnx file');
  const file = join(model.directory, model.artifactPath);
  const session = await openSession(onnx, file, model.artifactPath, options);
  const plan = bindGraph(graphValues(session), model.signature, options.log);
  return onnxPredictor(onnx, session, plan, (await stat(file)).size);
}

async function importInstalled(): Promise<OnnxModule> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  return { InferenceSession, Tensor };
}

async function importOnnx({ importOnnx }: OnnxRuntimeOptions): Promise<OnnxModule> {
  try {
    return await (importOnnx ?? importInstalled)();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new IngotError('environment-mismatch', `onnxruntime-node, which runs ONNX models, does not load: ${said}`, {
      // Its install script only fetches GPU libraries; the CPU library comes with the package.
      hint: 'npm install --ignore-scripts onnxruntime-node',
      cause: error,
    });
  }
}

async function openSession(
  onnx: OnnxModule,
  file: string,
  path: string,
  { intraOpThreads = 1 }: OnnxRuntimeOptions,
): Promise<Onnx.InferenceSession> {
  try {
    return await onnx.InferenceSession.create(file, {
      executionProviders: ['cpu'],
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new IngotError('invalid-package', `${path} cannot be loaded as an ONNX graph: ${said}`, { cause: error });
  }
}

function graphValues({ inputMetadata, outputMetadata }: Onnx.InferenceSession): Graph {
  const unusable = inputMetadata.filter(({ isTensor }) => !isTensor).map(({ name }) => name);
  if (unusable.length > 0) {
    throw new IngotError('invalid-package', `the graph takes something other than tensors: ${unusable.join(', ')}`);
  }
  return {
    inputs: inputMetadata.flatMap(graphValue),
    outputs: outputMetadata.flatMap(graphValue),
    skipped: outputMetadata.filter(({ isTensor }) => !isTensor).map(({ name }) => name),
  };
}

function graphValue(value: Onnx.InferenceSession.ValueMetadata): readonly GraphValue[] {
  if (!value.isTensor) return [];
  const datatype = DATATYPE_OF[value.type];
  if (datatype === undefined) {
    throw new IngotError('invalid-package', `"${value.name}" has element type ${value.type}, which is not supported`);
  }
  return [{ name: value.name, datatype, shape: value.shape.map((size) => (typeof size === 'number' ? size : -1)) }];
}

function onnxPredictor(
  onnx: OnnxModule,
  session: Onnx.InferenceSession,
  { bind, bound, signature }: BoundGraph,
  sizeBytes: number,
): Predictor {
  return {
    signature,
    platform: 'onnx_onnxruntime',
    memoryBytes: () => sizeBytes,
    async predict(request, { signal } = {}): Promise<PredictResult> {
      if (signal?.aborted) throw new IngotError('interrupted', 'the caller gave up waiting');
      checkMethod(request);
      const feeds: Record<string, Onnx.Tensor> = {};
      for (const feed of bind(request.inputs)) feeds[feed.name] = onnxTensor(onnx, feed);
      const results = await run(session, feeds, bound.fetch);
      const outputs = bound.features.map((feature, index) => {
        const name = bound.fetch[index] ?? feature.name;
        return declaredTensor(protocolTensor(name, results[name]), feature);
      });
      return { outputs };
    },
    async [Symbol.asyncDispose]() {
      await session.release();
    },
  };
}

async function run(
  session: Onnx.InferenceSession,
  feeds: Record<string, Onnx.Tensor>,
  fetch: readonly string[],
): Promise<Onnx.InferenceSession.ReturnType> {
  try {
    return await session.run(feeds, fetch);
  } catch (error) {
    const said = error instanceof Error ? error.message.trim() : String(error);
    throw new IngotError(failureCode(said), firstLines(said), { cause: error });
  }
}

function firstLines(text: string): string {
  return text
    .split('\n')
    .slice(0, 3)
    .map((line) => line.trim())
    .join('; ')
    .slice(0, 500);
}

function onnxTensor(onnx: OnnxModule, { datatype, shape, data }: Feed): Onnx.Tensor {
  if (!ArrayBuffer.isView(data)) return new onnx.Tensor('string', texts(data), shape);
  if (data instanceof Float32Array) return new onnx.Tensor('float32', data, shape);
  if (data instanceof Float64Array) return new onnx.Tensor('float64', data, shape);
  if (data instanceof BigInt64Array) return new onnx.Tensor('int64', data, shape);
  if (data instanceof BigUint64Array) return new onnx.Tensor('uint64', data, shape);
  if (data instanceof Int32Array) return new onnx.Tensor('int32', data, shape);
  if (data instanceof Uint32Array) return new onnx.Tensor('uint32', data, shape);
  if (data instanceof Int16Array) return new onnx.Tensor('int16', data, shape);
  if (data instanceof Uint16Array) return new onnx.Tensor(datatype === 'FP16' ? 'float16' : 'uint16', data, shape);
  if (data instanceof Int8Array) return new onnx.Tensor('int8', data, shape);
  return new onnx.Tensor(datatype === 'BOOL' ? 'bool' : 'uint8', data, shape);
}

function texts(data: BytesData): string[] {
  return data.map((element) => {
    if (element === null) throw new IngotError('signature-mismatch', 'an ONNX graph takes no missing text');
    return typeof element === 'string' ? element : Buffer.from(element).toString();
  });
}

function protocolTensor(name: string, value: Onnx.OnnxValue | undefined): Tensor {
  const datatype = value === undefined || !('dims' in value) ? undefined : DATATYPE_OF[value.type];
  if (value === undefined || datatype === undefined)
    throw new IngotError('model-failed', `the graph gave no "${name}"`);
  return { name, datatype, shape: value.dims, data: elements(name, value.data) };
}

function elements(name: string, data: Onnx.Tensor['data']): NumericData | BytesData {
  if (Array.isArray(data)) return data;
  if (data instanceof Uint8ClampedArray) throw new IngotError('model-failed', `output "${name}" is of an unknown type`);
  return data;
}
