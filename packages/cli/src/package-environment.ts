import { join } from 'node:path';
import type { Capture } from '@ingot/core/capture';
import type { PackageCache } from '@ingot/core/package/cache';
import { toServable } from '@ingot/core/package/cached-package';
import type { PackageDescription } from '@ingot/core/package/package';
import {
  type EnvironmentKeeper,
  type EnvironmentOptions,
  prepareEnvironment,
} from '@ingot/serve/environment/environment';
import { resolveVariables } from '@ingot/serve/environment/variables';
import { forPython } from '@ingot/serve/runtime/onnx/load-in-python';
import { cacheRoot } from './address.ts';
import type { Context } from './context.ts';
import { warningsOf } from './open.ts';
import type { Settings } from './settings/settings.ts';
import { workerDirectory } from './worker-directory.ts';

/** The environment of a package as `--json` tells it. */
export interface PackageEnvironment {
  /** Path of the interpreter. */
  readonly python: string;
  /** Its version. */
  readonly version: string;
  /** Whether it was made for such packages, and lies in the cache. */
  readonly isBuilt: boolean;
  /** Variables that the package declares, with the value they have here. */
  readonly variables: Readonly<Record<string, string>>;
}

/** What environments are made with, wherever they are made. */
export function environmentSettings(
  settings: Settings,
  environment: Context['env'],
): Omit<EnvironmentOptions, 'mode' | 'log'> {
  return {
    cacheDirectory: join(cacheRoot(settings), 'environments'),
    checkScript: join(workerDirectory(), 'requirements_check.py'),
    python: settings.text('python') ?? (environment.PYTHON || undefined),
    startedFrom: startedFrom(environment),
    environment: settings.isOn('offline') ? { ...environment, ...OFFLINE } : environment,
    allowSetup: settings.isOn('allow-setup'),
    allowSource: settings.isOn('allow-source'),
  };
}

/** The interpreter of the installation that the command was started from, where that is a wheel's. */
export function startedFrom(environment: Context['env']): string | undefined {
  return environment.INGOT_STARTED_FROM || undefined;
}

/** With INGOT_OFFLINE neither installers nor models' own libraries ask the network. */
const OFFLINE = { UV_OFFLINE: '1', PIP_NO_INDEX: '1', HF_HUB_OFFLINE: '1' };

/** Keeps environments that are in use, and the cache within its bound. */
export function environmentKeeper(cache: PackageCache): EnvironmentKeeper {
  return {
    hold: (directory) => cache.hold(directory),
    made: async () => {
      await cache.prune();
    },
  };
}

/**
 * Finds or builds the environment of a package that lies in the cache, as `serve` would.
 * @throws IngotError `environment-failed`, `environment-mismatch` (a variable is not set), `refused`, `interrupted`.
 */
export async function packageEnvironment(
  { description, captured }: { readonly description: PackageDescription; readonly captured?: Capture },
  directory: string,
  cache: PackageCache,
  context: Context,
): Promise<PackageEnvironment> {
  const { settings, env, signal, progress } = context;
  const warn = warningsOf(context);
  const model = forPython(toServable(description, directory, captured));
  const variables = resolveVariables(model.environmentVariables, env);
  const found = await prepareEnvironment(
    model,
    {
      ...environmentSettings(settings, env),
      mode: 'auto',
      keeper: environmentKeeper(cache),
      log: (level, message) => {
        if (level === 'warn') warn(message);
      },
    },
    { signal, onProgress: progress.onProgress },
  );
  return { python: found.path, version: found.version, isBuilt: found.isBuilt ?? false, variables };
}
