/**
 * An *environment* is an interpreter with what a package needs. `auto` takes the interpreter that is there where it has
 * exactly that; else it resolves the requirements once to a *lock*, builds a virtual environment for it once, and needs no
 * network after that. `current` checks the interpreter that is there; `none` takes it unchecked.
 */

import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isIngotError } from '@ingot/core/errors';
import { canonicalJson } from '@ingot/core/json';
import type { OnProgress } from '@ingot/core/progress';
import type { ServablePackage } from '@ingot/core/serving/runtime';
import { type Clock, systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { checkCurrent } from './current.ts';
import { withDirectoryLock } from './directory-lock.ts';
import { directorySize } from './directory-size.ts';
import { isFitting } from './fitting-interpreter.ts';
import { findInstaller, type Installer, type InstallerOptions } from './installer.ts';
import { type Interpreter, minorOf } from './interpreter.ts';
import { keepPinnedHashes } from './pinned-hashes.ts';
import { environmentKey, readPrebuilt } from './prebuilt.ts';
import { recordedLock } from './recorded-lock.ts';
import { rememberedInterpreter } from './remembered-interpreter.ts';
import { checkNamed, readRequirements } from './requirements.ts';
import { runSetup } from './setup.ts';
import { pythonOf } from './uv.ts';
import { makeWritable } from './writable-directory.ts';

/** How environments are found or made. */
export interface EnvironmentOptions {
  readonly mode: 'auto' | 'current' | 'none';
  /** `<cache>/environments`; made when missing. */
  readonly cacheDirectory: string;
  /** Path of the worker's `requirements_check.py`. */
  readonly checkScript: string;
  /** `--python` or `$PYTHON`. */
  readonly python?: string | undefined;
  /** The interpreter whose installation the command was started from, where it was. */
  readonly startedFrom?: string | undefined;
  /** `auto` takes the interpreter that `current` would take, where it fits; else it builds. Default false: it builds. */
  readonly takeFitting?: boolean;
  /** The server's environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Run a package's `setup.sh` or `setup.py`. Default false. */
  readonly allowSetup?: boolean;
  /** Admit requirements that are not named wheels. Default false. */
  readonly allowSource?: boolean;
  /** Is told what is used and made, so that it is kept, and what is in excess goes. Default: nobody is. */
  readonly keeper?: EnvironmentKeeper;
  readonly clock?: Clock;
  readonly log: Log;
}

/** Looks after the directory of environments. */
export interface EnvironmentKeeper {
  /** An environment's directory is used from now on; it may not be there yet. */
  hold(directory: string): Promise<void>;
  /** One was made. */
  made(): Promise<void>;
}

/** The interpreter to run a package with. */
export interface PreparedInterpreter extends Interpreter {
  /** It was built for such packages and lies in the cache: Python may keep bytecode in it. */
  readonly isBuilt?: boolean;
}

/** An interpreter that may still be compared with what the package asks for, while it starts. */
export interface FoundInterpreter extends PreparedInterpreter {
  /** Settles when it has been compared; nothing of the package may run before. Rejects with `environment-mismatch`. */
  readonly checked: Promise<void>;
}

/** What one call brings along. */
export interface PrepareOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Gives the interpreter to run a package with, compared with what the package asks for.
 * @throws IngotError `environment-mismatch` (current), `environment-failed`, `refused`, `interrupted`.
 */
export async function prepareEnvironment(
  model: ServablePackage,
  options: EnvironmentOptions,
  call: PrepareOptions = {},
): Promise<PreparedInterpreter> {
  const { checked, ...interpreter } = await findEnvironment(model, options, call);
  await checked;
  return interpreter;
}

/**
 * Gives the interpreter to run a package with while it is still being compared, so that it can start meanwhile.
 * @throws IngotError `environment-failed`, `refused`, `interrupted`.
 */
export async function findEnvironment(
  model: ServablePackage,
  options: EnvironmentOptions,
  call: PrepareOptions = {},
): Promise<FoundInterpreter> {
  const { mode, log, startedFrom } = options;
  const checked = Promise.resolve();
  const find = (preferActive: boolean): Promise<Interpreter> =>
    rememberedInterpreter(join(options.cacheDirectory, 'interpreters'), {
      python: options.python,
      wanted: model.pythonVersion,
      environment: options.environment,
      preferActive,
      startedFrom,
      signal: call.signal,
    });
  const isBare = readRequirements(model.requirements).length === 0;
  const prebuilt = mode === 'auto' && !isBare ? readPrebuilt(startedFrom) : undefined;
  if (prebuilt?.key === environmentKey(model)) return { ...prebuilt, checked };
  if (mode === 'auto' && (options.takeFitting || isBare)) {
    const active = await fitting(model, find, options);
    if (active !== undefined) return { ...active, checked };
  }
  const interpreter = await find(mode !== 'auto');
  if (mode === 'none') return { ...interpreter, checked };
  if (mode === 'current') {
    const comparing = checkCurrent(model, interpreter, options.checkScript, options.environment);
    comparing.catch(() => {}); // whoever loads the package awaits it
    return { ...interpreter, checked: comparing };
  }
  if (isBare) {
    log('warn', `the package names no requirements; it runs with what ${interpreter.path} has`);
    return { ...interpreter, checked };
  }
  return { ...(await builtEnvironment(model, interpreter, options, call)), checked };
}

/** The interpreter that is there, where it has what the package was made with; nothing is built then. */
async function fitting(
  model: ServablePackage,
  find: (preferActive: boolean) => Promise<Interpreter>,
  { checkScript, environment, allowSetup = false, log }: EnvironmentOptions,
): Promise<Interpreter | undefined> {
  // What a setup script does to an environment is not done to one that is somebody's.
  if (model.setupPath !== undefined && allowSetup) return undefined;
  let active: Interpreter;
  try {
    active = await find(true);
    if (!(await isFitting(model, active, checkScript, environment))) return undefined;
  } catch (error) {
    // None is active, or it cannot be asked: one that can is looked for, as for every build.
    if (isIngotError(error, 'environment-failed')) return undefined;
    throw error;
  }
  if (readRequirements(model.requirements).length > 0)
    log('info', `${active.path} has exactly what the package asks for and runs it`);
  else log('warn', `the package names no requirements; it runs with what ${active.path} has`);
  return active;
}

async function builtEnvironment(
  model: ServablePackage,
  interpreter: Interpreter,
  options: EnvironmentOptions,
  call: PrepareOptions,
): Promise<PreparedInterpreter> {
  const { cacheDirectory, allowSource = false, allowSetup = false, log } = options;
  if (!allowSource) checkNamed(readRequirements(model.requirements));
  const { pythonVersion, setupPath } = model;
  if (pythonVersion !== undefined && minorOf(pythonVersion) !== minorOf(interpreter.version)) {
    log('warn', `the package was made with Python ${pythonVersion}; it runs with ${interpreter.version}`);
  }
  if (setupPath !== undefined && !allowSetup)
    log('warn', `${setupPath} of the package is not run without --allow-setup`);
  await makeWritable(join(cacheDirectory, 'locks'));
  const maker = environmentMaker(model, interpreter, options, call);
  const lock = await maker.lock();
  const setup = setupPath !== undefined && allowSetup ? model.manifest : null;
  const name = digestOf({
    lock,
    python: interpreter.version,
    path: interpreter.path,
    platform: interpreter.platform,
    setup,
  });
  return { ...interpreter, path: await maker.build(name, lock), isBuilt: true };
}

interface EnvironmentMaker {
  lock(): Promise<string>;
  build(name: string, lock: string): Promise<string>;
}

function environmentMaker(
  model: ServablePackage,
  interpreter: Interpreter,
  options: EnvironmentOptions,
  { signal, onProgress }: PrepareOptions,
): EnvironmentMaker {
  const { cacheDirectory, allowSource = false, clock = systemClock, keeper } = options;
  const tell = (message: string): void =>
    onProgress?.({ phase: 'environment', path: 'environment', doneBytes: 0, totalBytes: 0, message });
  const onLine = (line: string): void => tell(line);
  const installerOptions: InstallerOptions = {
    interpreter,
    environment: withoutVirtualEnvironment(options.environment),
    allowSource,
    signal,
    onLine,
  };
  const tools = join(cacheDirectory, 'tools');
  /** Works with the wheels that came with the version where there are any and they fit; else with the index. */
  const installing = async (work: (installer: Installer) => Promise<void>): Promise<void> => {
    await using wheels = await model.wheels?.({ signal });
    if (wheels === undefined) return work(await findInstaller(tools, installerOptions));
    try {
      tell('using the wheels that came with the model');
      await work(await findInstaller(tools, { ...installerOptions, wheels: wheels.path }));
    } catch (error) {
      if (!isIngotError(error, 'environment-failed')) throw error;
      const [reason = ''] = error.message.split('\n').slice(1);
      options.log(
        'warn',
        `the wheels that came with the model do not fit this machine, so the index is asked: ${reason}`,
      );
      await work(await findInstaller(tools, installerOptions));
    }
  };
  // uv reads configuration from where it runs; a package's own must not redirect where packages come from.
  const workingDirectory = allowSource ? model.directory : cacheDirectory;
  const locked = <Result>(path: string, action: () => Promise<Result>): Promise<Result> =>
    withDirectoryLock(
      path,
      { clock, signal, onWait: () => tell('another server makes this environment; waiting') },
      action,
    );

  const resolve = async (lockFile: string, lines: readonly string[]): Promise<void> => {
    const source = `${lockFile}.in`;
    await writeFile(source, `${lines.join('\n')}\n`, { mode: 0o600 });
    try {
      await installing((installer) => installer.lock(source, lockFile, workingDirectory));
    } finally {
      await rm(source, { force: true });
    }
  };
  const resolveTo = async (
    lockFile: string,
    requirements: readonly string[],
    constraints: readonly string[],
  ): Promise<void> => {
    if (constraints.length === 0) return resolve(lockFile, requirements);
    const file = `${lockFile}.constraints`;
    await writeFile(file, `${constraints.join('\n')}\n`, { mode: 0o600 });
    try {
      await resolve(lockFile, [...requirements, `-c ${file}`]);
    } catch (error) {
      if (!isIngotError(error, 'environment-failed')) throw error;
      options.log(
        'warn',
        'the versions that were recorded with the model cannot be had; others that it allows are taken',
      );
      await resolve(lockFile, requirements);
    } finally {
      await rm(file, { force: true });
    }
  };

  const fill = async (directory: string, lock: string): Promise<void> => {
    const lockFile = join(directory, 'requirements.lock');
    await writeFile(lockFile, lock, { mode: 0o600 });
    const venv = join(directory, 'venv');
    await installing(async (chosen) => {
      await rm(venv, { recursive: true, force: true });
      tell(`installing ${lock.match(/^[A-Za-z0-9]/gm)?.length ?? 0} packages with ${chosen.name}`);
      await chosen.build(venv, lockFile, workingDirectory);
      if (options.allowSetup) await runSetup(model, venv, chosen, installerOptions);
      await writeReady(join(directory, 'ready.json'), {
        python: interpreter.version,
        platform: interpreter.platform,
        installer: chosen.name,
        sizeBytes: await directorySize(directory),
      });
    });
  };

  return {
    async lock() {
      const wanted = readRequirements(model.requirements);
      const requirements = wanted.map(({ text }) => text);
      const recorded = allowSource ? undefined : recordedLock({ lock: model.lock, requirements: wanted }, interpreter);
      if (recorded?.lock !== undefined) return recorded.lock;
      const constraints = recorded?.constraints ?? [];
      const inputs = {
        requirements,
        ...(constraints.length > 0 && { constraints }),
        python: interpreter.version,
        platform: interpreter.platform,
        allowSource,
      };
      // Paths in requirements are relative to the package, so that such a lock is the package's own.
      const key = digestOf(allowSource ? { ...inputs, manifest: model.manifest } : inputs);
      const file = join(cacheDirectory, 'locks', `${key}.txt`);
      const known = await readFile(file, 'utf8').catch(() => undefined);
      if (known !== undefined) return known;
      return locked(`${file}.lock`, async () => {
        if (await exists(file)) return readFile(file, 'utf8');
        tell(`resolving ${requirements.length} requirements for Python ${interpreter.version}`);
        await resolveTo(`${file}.new`, requirements, constraints);
        const resolved = keepPinnedHashes(await readFile(`${file}.new`, 'utf8'), wanted);
        await writeFile(`${file}.new`, resolved, { mode: 0o600 });
        await rename(`${file}.new`, file);
        return resolved;
      });
    },
    async build(name, lock) {
      const directory = join(cacheDirectory, name);
      const ready = join(directory, 'ready.json');
      const python = pythonOf(join(directory, 'venv'));
      // Held before it is looked for: what is in use is not removed under whoever found it.
      await keeper?.hold(directory);
      if (await exists(ready)) return python;
      await locked(`${directory}.lock`, async () => {
        if (await exists(ready)) return;
        // A virtual environment cannot be moved once made: what was left half-made goes, and the marker comes last.
        await rm(directory, { recursive: true, force: true });
        await mkdir(directory, { mode: 0o700 });
        try {
          await fill(directory, lock);
        } catch (error) {
          // What is half-made is of no use, and may be what fills the disk.
          await rm(directory, { recursive: true, force: true });
          throw error;
        }
      });
      await keeper?.hold(directory);
      await keeper?.made();
      return python;
    },
  };
}

async function writeReady(path: string, facts: Readonly<Record<string, string | number>>): Promise<void> {
  await writeFile(`${path}.new`, `${canonicalJson(facts)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function withoutVirtualEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const pip = { PIP_ROOT_USER_ACTION: 'ignore', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  return { ...environment, ...pip, VIRTUAL_ENV: undefined, PYTHONPATH: undefined, PYTHONHOME: undefined };
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
