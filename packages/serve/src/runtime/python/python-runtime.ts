import { dirname, join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import type { OnProgress } from '@ingot/core/progress';
import type { Predictor, Runtime, ServablePackage } from '@ingot/core/serving/runtime';
import { DATATYPES, FEATURE_TYPES, type Feature, type Signature } from '@ingot/core/signature';
import { type Clock, systemClock } from '../../clock.ts';
import { resolveVariables } from '../../environment/variables.ts';
import type { Log } from '../../log.ts';
import { SpareWorkers } from './spare-workers.ts';
import { WorkerPool } from './worker-pool.ts';
import { WorkerProcess, type WorkerSettings } from './worker-process.ts';

/** An interpreter that has what a package needs. */
export interface PythonEnvironment {
  /** Path of the interpreter. */
  readonly python: string;
  /** Python may keep bytecode in it, whatever the server's own variables say. Default false. */
  readonly keepsBytecode?: boolean;
  /** Settles when the environment is known to fit; workers start meanwhile and load nothing before. Default: it fits. */
  readonly checked?: Promise<void>;
}

/** Finds or builds the environment of a package. */
export type PrepareEnvironment = (
  model: ServablePackage,
  options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
) => Promise<PythonEnvironment>;

/** How Python packages are run. */
export interface PythonRuntimeOptions {
  /** Path of the worker's `main.py`. */
  readonly workerScript: string;
  readonly prepareEnvironment: PrepareEnvironment;
  /** The server's environment variables; workers get them all but `INGOT_*`, except for `INGOT_TRUSTED_TYPES`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where temporary sockets may lie: short, `/tmp` for example. */
  readonly temporaryDirectory: string;
  /** Workers a version. Default 1. */
  readonly workers?: number;
  /** Warm processes that wait for each environment in use, for the next version or a replacement. Default 1; 0: none. */
  readonly spareWorkers?: number;
  /** How long after a load a spare process is started. Default 1 s. */
  readonly spareDelayMs?: number;
  /** Default 60 s. */
  readonly requestTimeoutMs?: number;
  /** Default 300 s. */
  readonly loadTimeoutMs?: number;
  /** Requests that may wait for a version. Default 256. */
  readonly queueLimit?: number;
  /**
   * Up to how many rows of waiting requests become one call, for flavors whose rows are independent (`sklearn`, `xgboost`, …).
   * Default 1024; 0: never.
   */
  readonly mergeRows?: number;
  readonly clock?: Clock;
  readonly log: Log;
}

/** Flavors that no Python worker loads: the server runs ONNX itself, and plain files are no models. */
const OTHERS = ['onnx', 'file'];
/** Flavors whose rows are independent of each other, so that waiting requests may become one call. */
const BY_ROW = ['sklearn', 'xgboost', 'lightgbm', 'catboost'];
/** Flavors that say nothing of the framework behind them. */
const PLAIN = ['python', 'function', 'object', 'models', 'plugin'];

/** Runs packages in Python workers: a pool of processes for each loaded version. */
export function pythonRuntime(options: PythonRuntimeOptions): Runtime {
  const spares = new SpareWorkers<WorkerProcess>({
    count: options.spareWorkers ?? 1,
    delayMs: options.spareDelayMs ?? 1000,
    launch: (settings, signal) => WorkerProcess.launch(settings, { signal }),
    clock: options.clock ?? systemClock,
    log: options.log,
  });
  return {
    name: 'python',
    supports: (flavor) => !OTHERS.includes(flavor),
    load: (model, { signal, onProgress } = {}) =>
      loadPython(model, options, spares, { ...(signal && { signal }), ...(onProgress && { onProgress }) }),
  };
}

async function loadPython(
  model: ServablePackage,
  options: PythonRuntimeOptions,
  spares: SpareWorkers<WorkerProcess>,
  call: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
): Promise<Predictor> {
  const variables = resolveVariables(model.environmentVariables, options.environment);
  const { python, keepsBytecode = false, checked } = await options.prepareEnvironment(model, call);
  const clock = options.clock ?? systemClock;
  const settings = {
    python,
    script: options.workerScript,
    environment: workerEnvironment(options, variables, keepsBytecode),
    temporaryDirectory: options.temporaryDirectory,
    loadTimeoutMs: options.loadTimeoutMs ?? 300_000,
    clock,
    log: options.log,
  };
  const order = loadOrder(model);
  const { pool, first } = await WorkerPool.start(
    {
      size: options.workers ?? 1,
      start: async (signal) => {
        const worker = await startWorker(settings, model, spares, checked, signal);
        await worker.load(order, { signal });
        return worker;
      },
      requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
      queueLimit: options.queueLimit ?? 256,
      mergeRows: BY_ROW.includes(model.flavor) ? (options.mergeRows ?? 1024) : 0,
      clock,
      log: options.log,
    },
    call,
  );
  const hold = spares.hold(settings, first.modules);
  return {
    signature: model.signature ?? learnedSignature(first.learned),
    platform: PLAIN.includes(model.flavor) ? 'python' : `python_${model.flavor}`,
    memoryBytes: () => pool.memoryBytes + hold.memoryBytes,
    predict: (request, { signal } = {}) => pool.predict(request, signal),
    async [Symbol.asyncDispose]() {
      await Promise.all([hold[Symbol.asyncDispose](), pool[Symbol.asyncDispose]()]);
    },
  };
}

/** A worker that may load the package: the spare one where there is one, else a process of its own. */
async function startWorker(
  settings: WorkerSettings,
  model: ServablePackage,
  spares: SpareWorkers<WorkerProcess>,
  checked: Promise<void> | undefined,
  signal: AbortSignal | undefined,
): Promise<WorkerProcess> {
  const spare = await spares.take(settings, sourceDirectories(model));
  const worker = spare ?? (await WorkerProcess.launch(settings, { signal }));
  try {
    await checked;
    return worker;
  } catch (error) {
    await worker.stop();
    throw error;
  }
}

/** Where the package's own modules lie. */
function sourceDirectories({ directory, interfacePath = '' }: ServablePackage): readonly string[] {
  return [...new Set([directory, dirname(join(directory, interfacePath))])];
}

function loadOrder(model: ServablePackage): JsonObject {
  const { directory, flavor, interfacePath, artifactPath, signature } = model;
  const order: unknown = JSON.parse(JSON.stringify({ directory, flavor, interfacePath, artifactPath, signature }));
  if (!isJsonObject(order)) throw new IngotError('unexpected', 'the load order is not an object');
  return order;
}

/** Types that a skops archive may hold, as the operator says. */
const TRUSTED_TYPES = 'INGOT_TRUSTED_TYPES';
const BYTECODE_VARIABLES = ['PYTHONDONTWRITEBYTECODE', 'PYTHONPYCACHEPREFIX'];

function workerEnvironment(
  { environment, workers = 1 }: PythonRuntimeOptions,
  variables: Readonly<Record<string, string>>,
  keepsBytecode: boolean,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    // Where models live, and the tokens that open it, are the server's own business; what it trusts, its workers have to know.
    if (value !== undefined && (!name.startsWith('INGOT_') || name === TRUSTED_TYPES)) result[name] = value;
  }
  if (keepsBytecode) for (const name of BYTECODE_VARIABLES) delete result[name];
  // Several workers on the same cores: numeric libraries that each start a thread a core would stand in each other's way.
  if (workers > 1) result.OMP_NUM_THREADS ??= '1';
  return { ...result, PYTHONUNBUFFERED: '1', PYTHONIOENCODING: 'utf-8', ...variables };
}

/** Reads what a worker says about an estimator's signature; a malformed one is no signature. */
function learnedSignature(value: JsonValue): Signature | undefined {
  if (!isJsonObject(value)) return undefined;
  return { inputs: features(value.inputs), outputs: features(value.outputs), origin: 'captured', partial: true };
}

function features(value: JsonValue | undefined): readonly Feature[] {
  return Array.isArray(value) ? value.flatMap(feature) : [];
}

function feature(value: JsonValue): readonly Feature[] {
  if (!isJsonObject(value) || typeof value.name !== 'string') return [];
  const type = FEATURE_TYPES.find((known) => known === value.type);
  if (type === undefined) return [];
  const dtype = DATATYPES.find((known) => known === value.dtype);
  const shape = Array.isArray(value.shape) ? value.shape.filter((size) => typeof size === 'number') : undefined;
  const categories = Array.isArray(value.categories)
    ? value.categories.filter((entry) => typeof entry === 'string')
    : undefined;
  return [
    { name: value.name, type, ...(dtype && { dtype }), ...(shape && { shape }), ...(categories && { categories }) },
  ];
}
