/**
 * The *model server*: slots with their runtimes behind the HTTP app, listening on a port. It knows nothing of stores and
 * settings; whoever starts it brings a {@link ModelSource}.
 */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import type { OnProgress } from '@ingot/core/progress';
import type { ModelSource, Runtime } from '@ingot/core/serving/runtime';
import { type App, type AppOptions, createApp } from './app.ts';
import { type Clock, systemClock } from './clock.ts';
import { type EnvironmentKeeper, findEnvironment } from './environment/environment.ts';
import { freePort } from './free-port.ts';
import type { Log } from './log.ts';
import type { ModelHost } from './model-host.ts';
import { onnxRuntime } from './runtime/onnx/onnx-runtime.ts';
import { pythonRuntime } from './runtime/python/python-runtime.ts';
import { limitLoads } from './slots/limit-loads.ts';
import { versionLoader } from './slots/load-version.ts';
import { ModelSlots } from './slots/model-slots.ts';
import { timedLoads } from './slots/timed-loads.ts';

/** How Python packages are run; see {@link PythonRuntimeOptions} and {@link EnvironmentOptions} for the defaults. */
export interface PythonOptions {
  /** Where the worker's files lie (`main.py`, `requirements_check.py`). */
  readonly workerDirectory: string;
  /** `<cache>/environments`. */
  readonly environmentsDirectory: string;
  /** The server's environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where temporary sockets may lie: short, `/tmp` for example. */
  readonly temporaryDirectory: string;
  /** Default `auto`. */
  readonly env?: 'auto' | 'current' | 'none';
  /** `--python` or `$PYTHON`. */
  readonly python?: string | undefined;
  /** The interpreter whose installation the command was started from, where it was. */
  readonly startedFrom?: string | undefined;
  /** Looks after the directory of environments. Default: nobody does. */
  readonly keeper?: EnvironmentKeeper;
  readonly allowSetup?: boolean;
  readonly allowSource?: boolean;
  /** Worker processes a version. Default 1. */
  readonly workers?: number;
  /** Warm processes that wait for each environment in use. Default 1; 0: none. */
  readonly spareWorkers?: number;
  readonly spareDelayMs?: number;
  readonly requestTimeoutMs?: number;
  readonly loadTimeoutMs?: number;
  readonly queueLimit?: number;
  readonly mergeRows?: number;
}

/** What a model server is started with. */
export interface ModelServerOptions {
  readonly source: ModelSource;
  /** What to serve, in order: the first source of a name is its default. */
  readonly sources: readonly string[];
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 8080; 0: any free one. */
  readonly port?: number;
  /** Default `start`. */
  readonly load?: 'start' | 'on-demand';
  readonly python: PythonOptions;
  /** Threads an ONNX operator may use. Default 1. */
  readonly onnxThreads?: number;
  /** Asked before the built-in ones. */
  readonly runtimes?: readonly Runtime[];
  /** Unload the longest unused versions above this. Default: never. */
  readonly memoryLimitBytes?: number;
  /** How many versions load at the same time. Default 2. */
  readonly loadsAtOnce?: number;
  /** How often each source is resolved again. Default 500 ms. */
  readonly followIntervalMs?: number;
  /** How long closing waits for running requests. Default 10 s. */
  readonly drainMs?: number;
  /** How long closing still answers, before it waits. Default 2 s where others than this machine can reach it, else 0. */
  readonly lingerMs?: number;
  readonly limits?: AppOptions['limits'];
  /** The server's own version, as `/v2` tells it. */
  readonly version?: string;
  readonly onProgress?: OnProgress;
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Aborting gives up starting; a server that runs is ended with `close()`. */
  readonly signal?: AbortSignal;
}

/** A running model server. */
export interface ModelServer {
  /** `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly host: ModelHost;
  /** Denies readiness, lets running requests end, stops all workers. */
  close(): Promise<void>;
}

/**
 * Starts listening, loads what is configured, and begins to follow its sources. Health answers while models load.
 * @throws IngotError `port-in-use` naming a free port, or whatever keeps the first unusable source from being served.
 */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const { drainMs = 10_000, host = '127.0.0.1', port = 8080 } = options;
  const { lingerMs = isLoopback(host) ? 0 : LINGER_MS } = options;
  const slots = modelSlots(options, drainMs, (...outcome) => app.loaded(...outcome));
  const { limits, version, log, clock = systemClock } = options;
  const app = createApp({
    host: slots,
    log,
    clock,
    ...(limits && { limits }),
    ...(version !== undefined && { version }),
  });
  const closeAfter = async (stillMs: number): Promise<void> => {
    await app.close({ drainMs, lingerMs: stillMs });
    await slots[Symbol.asyncDispose]();
  };
  const { signal } = options;
  const giveUp = (): void => void slots[Symbol.asyncDispose]();
  try {
    const url = await listen(app.server(), host, port);
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted) throw new IngotError('interrupted', 'starting was interrupted');
    await slots.start();
    signal?.removeEventListener('abort', giveUp);
    return { url, host: slots, close: () => closeAfter(lingerMs) };
  } catch (error) {
    await closeAfter(0);
    throw error;
  }
}

const LINGER_MS = 2000;

function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host);
}

function modelSlots(options: ModelServerOptions, drainMs: number, onLoaded: App['loaded']): ModelSlots {
  const { source, sources, log, onProgress, clock = systemClock, random = Math.random } = options;
  const inPython = python(options);
  const runtimes = [...(options.runtimes ?? []), onnx(options, inPython), inPython];
  const load = timedLoads(versionLoader({ source, runtimes, log, ...(onProgress && { onProgress }) }), clock, onLoaded);
  return new ModelSlots({
    source,
    sources,
    loadVersion: limitLoads(load, options.loadsAtOnce ?? 2),
    load: options.load ?? 'start',
    memoryLimitBytes: options.memoryLimitBytes,
    followIntervalMs: options.followIntervalMs ?? 500,
    drainMs,
    clock,
    random,
    log,
  });
}

function onnx({ onnxThreads, log }: ModelServerOptions, inPython: Runtime): Runtime {
  return onnxRuntime({ log, inPython, ...(onnxThreads !== undefined && { intraOpThreads: onnxThreads }) });
}

function python({ python: settings, log, clock = systemClock }: ModelServerOptions): Runtime {
  const { workerDirectory, environmentsDirectory, env = 'auto', environment } = settings;
  const { python: interpreter, startedFrom, allowSetup = false, allowSource = false } = settings;
  const environments = {
    mode: env,
    cacheDirectory: environmentsDirectory,
    checkScript: join(workerDirectory, 'requirements_check.py'),
    python: interpreter,
    startedFrom,
    takeFitting: true,
    environment,
    allowSetup,
    allowSource,
    clock,
    log,
    ...(settings.keeper && { keeper: settings.keeper }),
  };
  return pythonRuntime({
    ...settings,
    workerScript: join(workerDirectory, 'main.py'),
    clock,
    log,
    async prepareEnvironment(model, call) {
      const { path, isBuilt = false, checked } = await findEnvironment(model, environments, call);
      return { python: path, keepsBytecode: isBuilt, checked };
    },
  });
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    throw await listenError(error, host, port);
  }
  return urlOf(server.address(), host);
}

async function listenError(error: unknown, host: string, port: number): Promise<unknown> {
  const code = systemErrorCode(error);
  if (code === 'EADDRINUSE') {
    const free = await freePort(host, port + 1);
    return new IngotError('port-in-use', `port ${port} on ${host} is taken; ${free} is free`, {
      hint: `ingot serve … --port ${free}`,
      details: { port, free },
    });
  }
  if (code === 'EACCES') return new IngotError('forbidden', `port ${port} needs more rights; take one above 1023`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new IngotError('usage', `this machine has no address ${host} to listen on`);
  }
  return error;
}

function urlOf(address: AddressInfo | string | null, host: string): string {
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
