import { tmpdir } from 'node:os';
import type { Log } from '@ingot/serve/log';
import type { ModelServer } from '@ingot/serve/server';
import { startModelServer } from '@ingot/serve/server';
import { expandBaked } from './baked-models.ts';
import type { Context } from './context.ts';
import { openCache } from './open-cache.ts';
import { environmentKeeper, environmentSettings } from './package-environment.ts';
import { reportDeployments } from './report-deployments.ts';
import { openServingSource } from './serving-source.ts';
import type { Settings } from './settings/settings.ts';
import { toolVersion } from './tool-version.ts';
import { workerDirectory } from './worker-directory.ts';
import { writableDirectory } from './writable-directory.ts';

/** What a model server is started with, besides the settings. */
export interface ServerPlan {
  readonly sources: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly load: 'start' | 'on-demand';
  readonly log: Log;
}

/** A running server; disposing it ends it and lets go of the store. */
export interface RunningServer extends AsyncDisposable {
  readonly server: ModelServer;
}

/** Shorter than a cluster waits for a server that does not answer at all. */
const LONGEST_WAIT_MS = 45_000;

/** Starts a model server over the store and the cache that the settings name. */
export async function startServer(plan: ServerPlan, context: Context): Promise<RunningServer> {
  const { settings } = context;
  const cache = openCache(settings, context.now);
  // KServe says so where a container beside this one brings the model.
  const waitMs = context.env.MODEL_INIT_MODE === 'async' ? LONGEST_WAIT_MS : 0;
  const sources = await expandBaked(plan.sources, context.cwd, { waitMs, signal: context.signal });
  const opened = await openServingSource(sources, { cache, log: plan.log }, context);
  try {
    const memoryLimitBytes = settings.number('memory');
    const drain = settings.number('drain');
    const linger = settings.number('linger');
    const follow = settings.number('follow');
    const server = await startModelServer({
      source: opened.source,
      sources,
      host: plan.host,
      port: plan.port,
      load: plan.load,
      python: { ...pythonOptions(settings, context.env), keeper: environmentKeeper(cache) },
      log: plan.log,
      version: toolVersion(),
      onProgress: context.progress.onProgress,
      signal: context.signal,
      ...(memoryLimitBytes !== undefined && { memoryLimitBytes }),
      ...(drain !== undefined && { drainMs: drain * 1000 }),
      ...(linger !== undefined && { lingerMs: linger * 1000 }),
      ...(follow !== undefined && { followIntervalMs: follow * 1000 }),
    });
    const { registry } = opened;
    const reporting =
      registry === undefined ? undefined : reportDeployments(server, registry, { context, log: plan.log });
    const end = async (): Promise<void> => {
      await reporting?.[Symbol.asyncDispose]();
      await server.close();
      await cache[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    };
    return { server, [Symbol.asyncDispose]: end };
  } catch (error) {
    await cache[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

type PythonOptions = Parameters<typeof startModelServer>[0]['python'];

function pythonOptions(settings: Settings, environment: Context['env']): PythonOptions {
  const workers = settings.number('workers');
  const spareWorkers = settings.number('spare');
  const timeout = settings.number('timeout');
  const { cacheDirectory, checkScript: _, ...environments } = environmentSettings(settings, environment);
  return {
    ...environments,
    workerDirectory: workerDirectory(),
    environmentsDirectory: cacheDirectory,
    temporaryDirectory: writableDirectory(tmpdir()),
    env: environmentMode(settings.text('env')),
    ...(workers !== undefined && { workers }),
    ...(spareWorkers !== undefined && { spareWorkers }),
    ...(timeout !== undefined && { requestTimeoutMs: timeout * 1000 }),
  };
}

function environmentMode(text: string | undefined): 'auto' | 'current' | 'none' {
  return text === 'current' || text === 'none' ? text : 'auto';
}
