import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportedVersion, WheelFile } from '@ingot/core/bundle-export';
import { createDigester } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { toServable } from '@ingot/core/package/cached-package';
import { findInterpreter } from '@ingot/serve/environment/interpreter';
import { type DownloadedWheels, downloadWheels } from '@ingot/serve/environment/target-wheels';
import { lockForTarget, type TargetOptions, type WantsEnvironment } from '@ingot/serve/environment/target-environment';
import type { EnvironmentTarget } from '@ingot/serve/environment/target';
import { isHashed } from '@ingot/serve/environment/lock-lines';
import type { Context } from './context.ts';
import type { OpenedStore } from './open.ts';
import { warningsOf } from './open.ts';
import { environmentSettings } from './package-environment.ts';

/** The wheels of an export; disposing removes what was downloaded. */
export interface BundleWheels extends AsyncDisposable {
  readonly choose: (version: ExportedVersion) => Promise<readonly WheelFile[] | undefined>;
}

/** Processors as wheels and locks name them, and as images do. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', x86_64: 'amd64', aarch64: 'arm64' };

/**
 * Chooses the wheels that go along with each version: those it came with, else those of its environment, downloaded for
 * the platforms and the Python that were asked for. Without `--no-wheels` a bundle has them, for what is missing shows
 * only where nothing can be fetched any more.
 */
export async function bundleWheels(_store: OpenedStore, context: Context): Promise<BundleWheels> {
  const { arguments: given } = context;
  const platforms = given.list('platform').map(architectureOf);
  const python = pythonOf(given.text('python-version'));
  const downloaded = new Map<string, Promise<readonly WheelFile[]>>();
  const open: DownloadedWheels[] = [];
  const options = targetOptions(context);

  async function choose({ record, stored }: ExportedVersion): Promise<readonly WheelFile[] | undefined> {
    if (given.isOn('no-wheels')) return [];
    const model = toServable(stored.description, '', stored.captured?.capture);
    const asked = platforms.length > 0 || python !== undefined;
    if (!asked && stored.recipe.contents.some(({ role }) => role === 'wheel')) return undefined;
    if (model.requirements.length === 0) return [];
    const targets = await targetsOf(model, { platforms, python }, options);
    const sets = await Promise.all(targets.map((target) => wheelsFor(model, target))).catch((error: unknown) => {
      throw withoutWheels(error, `${record.model}:${record.number}`);
    });
    return [...new Map(sets.flat().map((wheel) => [wheel.name, wheel])).values()];
  }

  async function wheelsFor(model: WantsEnvironment, target: EnvironmentTarget): Promise<readonly WheelFile[]> {
    const lines = await lockForTarget(model, target, options);
    const key = JSON.stringify([lines, target]);
    const known = downloaded.get(key) ?? download(lines, target);
    downloaded.set(key, known);
    return await known;
  }

  async function download(lines: readonly string[], target: EnvironmentTarget): Promise<readonly WheelFile[]> {
    const wheels = await downloadWheels(lines, target, options);
    open.push(wheels);
    return await Promise.all(wheels.names.map((name) => wheelFile(wheels.directory, name)));
  }

  return {
    choose,
    async [Symbol.asyncDispose]() {
      for (const wheels of open) await wheels[Symbol.asyncDispose]();
    },
  };
}

async function wheelFile(directory: string, name: string): Promise<WheelFile> {
  const path = join(directory, name);
  const digester = createDigester();
  for await (const piece of createReadStream(path)) digester.update(piece);
  const { size } = await stat(path);
  return { name, digest: digester.finish(), sizeBytes: size, open: () => createReadStream(path) };
}

/** Where nothing is asked for: the machine that a whole lock was made on, else this one. */
async function targetsOf(
  { lock, pythonVersion }: WantsEnvironment,
  asked: { readonly platforms: readonly string[]; readonly python: string | undefined },
  options: TargetOptions,
): Promise<readonly EnvironmentTarget[]> {
  const locked = lock !== undefined && isHashed(lock.lines) ? lock : undefined;
  const recorded = locked?.platform?.split('-').at(-1);
  const own = ARCHITECTURES[recorded ?? process.arch] ?? recorded ?? process.arch;
  const { environment, python: named, startedFrom, signal } = options;
  const wanted = asked.python ?? locked?.python ?? pythonVersion;
  const version =
    wanted ?? (await findInterpreter({ python: named, startedFrom, environment, preferActive: true, signal })).version;
  const python = version.split('.').slice(0, 2).join('.');
  const platforms = asked.platforms.length > 0 ? asked.platforms : [own];
  return platforms.map((architecture) => ({ architecture, libc: { name: 'glibc' }, python }));
}

function architectureOf(platform: string): string {
  const [os, architecture, ...rest] = platform.split('/');
  if (os === 'linux' && architecture !== undefined && /^[a-z0-9_]+$/.test(architecture) && rest.length === 0)
    return ARCHITECTURES[architecture] ?? architecture;
  throw new IngotError('usage', `--platform takes linux/amd64 or linux/arm64, and is "${platform}"`);
}

function pythonOf(text: string | undefined): string | undefined {
  if (text === undefined || /^3\.\d{1,2}(?:\.\d{1,3})?$/.test(text)) return text;
  throw new IngotError('usage', `--python-version takes 3.11, and is "${text}"`);
}

function withoutWheels(error: unknown, ref: string): unknown {
  if (!(error instanceof IngotError) || !['environment-failed', 'refused'].includes(error.code)) return error;
  return new IngotError(error.code, `the wheels of ${ref} cannot be had: ${error.message}`, {
    operation: 'export',
    hint: '--no-wheels, where the other side has an index of its own; --platform and --python-version choose others',
    details: error.details,
    cause: error,
  });
}

function targetOptions(context: Context): TargetOptions {
  const { settings, env, signal, progress } = context;
  const { cacheDirectory, python, startedFrom, environment } = environmentSettings(settings, env);
  const warn = warningsOf(context);
  return {
    cacheDirectory,
    python,
    startedFrom,
    environment,
    signal,
    onLine: (message) =>
      progress.onProgress({ phase: 'environment', path: 'wheels', doneBytes: 0, totalBytes: 0, message }),
    log: (level, message) => {
      if (level === 'warn') warn(message);
    },
  };
}
