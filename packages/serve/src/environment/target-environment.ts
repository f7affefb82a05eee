/**
 * Makes the environment of a package for a machine that is not this one, as an image's: resolves its requirements to a
 * lock for that machine, and unpacks the wheels of the lock. Nothing of the package and nothing that is installed runs.
 */

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isIngotError } from '@ingot/core/errors';
import { canonicalJson } from '@ingot/core/json';
import type { ServablePackage } from '@ingot/core/serving/runtime';
import type { Log } from '../log.ts';
import { availableWheels } from './available-wheels.ts';
import { findInstaller, type InstallerOptions } from './installer.ts';
import { findInterpreter, type Interpreter, minorOf } from './interpreter.ts';
import { constraintLines, lockLines } from './lock-lines.ts';
import { findPip, pipInstaller } from './pip.ts';
import { keepPinnedHashes } from './pinned-hashes.ts';
import { holdsAll, recordedLock } from './recorded-lock.ts';
import { checkNamed, type Requirement, readRequirements } from './requirements.ts';
import { asTargetFailure, missingWheel } from './target-failure.ts';
import { type TargetInstaller, targetInstaller } from './target-installer.ts';
import { makeScratch } from './writable-directory.ts';
import { type EnvironmentTarget, platformOfTarget } from './target.ts';

/** Where environments for targets are made, and with which tools. */
export interface TargetOptions {
  /** `<cache>/environments`; made when missing. */
  readonly cacheDirectory: string;
  /** An interpreter of this machine that installers run with. Default: the one found. */
  readonly python?: string | undefined;
  /** The interpreter whose installation the command was started from, where it was. */
  readonly startedFrom?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** Each line of what installers say. */
  readonly onLine?: (line: string) => void;
  readonly log: Log;
}

/** What of a package says which environment it needs. */
export type WantsEnvironment = Pick<ServablePackage, 'requirements' | 'lock' | 'pythonVersion'>;

/**
 * Gives the lock of a package for a target: the recorded one where it was made for the same platform and minor Python and
 * names the hashes of its files, else a resolved one that keeps to the recorded versions where it can. A resolved one is
 * remembered.
 * @throws IngotError `refused` (what is no named package), `environment-failed` naming the package that has no wheel,
 *   `interrupted`.
 * @example
 * await lockForTarget(model, { architecture: 'arm64', libc: { name: 'glibc' }, python: '3.11' }, options);
 * // ['scikit-learn==1.5.2 --hash=sha256:…', …]
 */
export async function lockForTarget(
  model: WantsEnvironment,
  target: EnvironmentTarget,
  options: TargetOptions,
): Promise<readonly string[]> {
  const wanted = readRequirements(model.requirements);
  checkNamed(wanted, 'write them as named packages (name==version) and push again');
  if (wanted.length === 0) return [];
  const { lock, pythonVersion } = model;
  if (pythonVersion !== undefined && minorOf(pythonVersion) !== target.python)
    options.log('warn', `the package was made with Python ${pythonVersion}; the image has ${target.python}`);
  const there = { path: '', version: target.python, platform: platformOfTarget(target) };
  const recorded = recordedLock({ lock, requirements: wanted }, there);
  if (recorded?.lock !== undefined) return lockLines(recorded.lock);
  const sameMinor = lock?.python !== undefined && minorOf(lock.python) === target.python;
  const constraints =
    lock !== undefined && sameMinor && holdsAll(lock, wanted)
      ? constraintLines(lock.lines).filter((line) => !line.includes('+'))
      : [];
  return remembered({ wanted, constraints, target }, options);
}

/**
 * Unpacks the wheels of a lock into a new directory of modules, as `site-packages` would hold them.
 * @throws IngotError `environment-failed` naming the package that has no wheel, `disk-full`, `interrupted`.
 */
export async function installForTarget(
  lines: readonly string[],
  target: EnvironmentTarget,
  directory: string,
  options: TargetOptions,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (lines.length === 0) return;
  await withInstaller(target, options, async (installer, scratch) => {
    const lockFile = join(scratch, 'requirements.lock');
    await writeFile(lockFile, `${lines.map((line) => line.replaceAll(' --hash', ' \\\n    --hash')).join('\n')}\n`);
    options.onLine?.(`unpacking ${lines.length} packages`);
    await installer.install(directory, lockFile, scratch);
  });
}

interface Asked {
  readonly wanted: readonly Requirement[];
  readonly constraints: readonly string[];
  readonly target: EnvironmentTarget;
}

/** An index answers differently from one day to the next; what it has said once is kept, so that the same image comes out. */
async function remembered(asked: Asked, options: TargetOptions): Promise<readonly string[]> {
  const { architecture, libc, python } = asked.target;
  const texts = asked.wanted.map(({ text }) => text);
  const key = canonicalJson({ texts, constraints: asked.constraints, architecture, libc: { ...libc }, python });
  const file = join(options.cacheDirectory, 'locks', `${createHash('sha256').update(key).digest('hex')}-target.txt`);
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return lockLines(known);
  const lines = await resolve(asked, options);
  await mkdir(join(options.cacheDirectory, 'locks'), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.${process.pid}`, `${lines.join('\n')}\n`, { mode: 0o600 });
  await rename(`${file}.${process.pid}`, file);
  return lines;
}

async function resolve({ wanted, constraints, target }: Asked, options: TargetOptions): Promise<readonly string[]> {
  return withInstaller(target, options, async (installer, scratch) => {
    const [source, lockFile, kept] = ['in.txt', 'lock.txt', 'constraints.txt'].map((name) => join(scratch, name));
    if (source === undefined || lockFile === undefined || kept === undefined) return [];
    const texts = wanted.map(({ text }) => text);
    const ask = async (lines: readonly string[]): Promise<readonly string[]> => {
      await writeFile(source, `${lines.join('\n')}\n`);
      await installer.lock(source, lockFile, scratch);
      return lockLines(keepPinnedHashes(await readFile(lockFile, 'utf8'), wanted));
    };
    options.onLine?.(
      `resolving ${wanted.length} requirements for ${platformOfTarget(target)}, Python ${target.python}`,
    );
    if (constraints.length === 0) return ask(texts);
    await writeFile(kept, `${constraints.join('\n')}\n`);
    try {
      return await ask([...texts, `-c ${kept}`]);
    } catch (error) {
      if (!isIngotError(error, 'environment-failed')) throw error;
      options.log(
        'warn',
        'the versions that were recorded with the model cannot be had for the image; others that it allows are taken',
      );
      return ask(texts);
    }
  });
}

async function withInstaller<Result>(
  target: EnvironmentTarget,
  options: TargetOptions,
  action: (installer: TargetInstaller, scratch: string) => Promise<Result>,
): Promise<Result> {
  const { cacheDirectory, environment, signal, onLine = () => {} } = options;
  const scratch = await makeScratch(cacheDirectory, '.target-');
  const tools = join(cacheDirectory, 'tools');
  try {
    const own: InstallerOptions = {
      interpreter: await findTargetInterpreter(target, options),
      environment: { ...environment, PYTHONPATH: undefined, PYTHONHOME: undefined, VIRTUAL_ENV: undefined },
      allowSource: false,
      signal,
      onLine,
    };
    const pip = async () => pipInstaller(await findPip(tools, own), own);
    try {
      return await action(targetInstaller(await findInstaller(tools, own), pip, target, own), scratch);
    } catch (error) {
      const missing = isIngotError(error, 'environment-failed') ? missingWheel(error.message) : undefined;
      const listed =
        missing === undefined || missing.available.length > 0
          ? []
          : await availableWheels(missing, target, await findPip(tools, own), own);
      throw asTargetFailure(error, target, listed);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** An interpreter of this machine to run installers with: of the target's minor version, where there is one. */
export function findTargetInterpreter(
  { python }: EnvironmentTarget,
  { python: named, startedFrom, environment, signal }: TargetOptions,
): Promise<Interpreter> {
  return findInterpreter({ python: named, startedFrom, wanted: python, environment, signal });
}
