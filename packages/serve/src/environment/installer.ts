/**
 * An *installer* resolves requirements to a *lock* (exact versions with hashes) and fills a virtual environment from one.
 * uv where it can be had, else pip.
 */

import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import type { Interpreter } from './interpreter.ts';
import { findPip, pipInstaller } from './pip.ts';
import { type CommandOutcome, lastLines, runCommand } from './run-command.ts';
import { uvInstaller } from './uv.ts';

/** What installers share. */
export interface InstallerOptions {
  readonly interpreter: Interpreter;
  /** The environment that the commands run in. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Options, addresses, version control, paths and source builds are allowed. */
  readonly allowSource: boolean;
  /** A directory of wheels to take everything from; then no index is asked. Default: the index. */
  readonly wheels?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onLine: (line: string) => void;
}

/** Resolves and installs. */
export interface Installer {
  readonly name: 'uv' | 'pip';
  /** How it is called. */
  readonly command: CommandPrefix;
  /** Writes the lock of a requirements file. `workingDirectory` is what relative paths are relative to. */
  lock(requirementsFile: string, lockFile: string, workingDirectory: string): Promise<void>;
  /** Makes a virtual environment with exactly what the lock says. */
  build(directory: string, lockFile: string, workingDirectory: string): Promise<void>;
  /** Installs a project directory (with a setup.py) into a virtual environment. */
  installProject(directory: string, project: string): Promise<void>;
}

/** A command with the arguments that come first. */
export type CommandPrefix = readonly [string, ...string[]];

/** Runs an installer's command; throws `environment-failed` with its last lines, or `disk-full`. */
export async function install(
  [command, ...first]: CommandPrefix,
  args: readonly string[],
  options: InstallerOptions,
  workingDirectory?: string,
): Promise<CommandOutcome> {
  const outcome = await runCommand(command, [...first, ...args], {
    environment: options.environment,
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(options.signal && { signal: options.signal }),
    onLine: options.onLine,
  });
  if (outcome.status === 0) return outcome;
  const said = lastLines(outcome.stderr || outcome.stdout);
  if (DISK_FULL.test(said))
    throw new IngotError('disk-full', "the disk is full: the model's environment could not be made", {
      hint: 'free some space: ingot cache prune',
      details: { said },
    });
  throw new IngotError('environment-failed', `the model's environment could not be made:\n${said}`, {
    ...(NO_WHEEL.test(said) && {
      hint: `INGOT_ALLOW_SOURCE=1 (or --allow-source) builds ${withoutWheel(said)} from source, if you trust it and have a compiler; another PYTHON may have a wheel`,
    }),
    details: { command: [command, ...first, ...args].join(' ').slice(0, 500) },
  });
}

const DISK_FULL = /no space left on device|disk quota exceeded/i;
const NO_WHEEL = /only-binary|no (?:usable )?wheels|source distribution|building .* disabled/i;

/** Names what has no wheel, where the installer says it. */
function withoutWheel(said: string): string {
  return (
    /(?:because|all versions of) ([A-Za-z0-9._-]+)[^\s]* (?:has|have) no (?:usable )?wheels/i.exec(said)?.[1] ?? 'it'
  );
}

/** What has an installer take everything from a directory. */
export function onlyFrom({ wheels }: Pick<InstallerOptions, 'wheels'>): readonly string[] {
  return wheels === undefined ? [] : ['--no-index', '--find-links', wheels];
}

/** Finds uv, or gets it from PyPI once into `toolsDirectory`; falls back to pip. */
export async function findInstaller(toolsDirectory: string, options: InstallerOptions): Promise<Installer> {
  const installed = await installedUv(toolsDirectory, options);
  if (installed !== undefined) return uvInstaller(installed, options);
  const pip = await findPip(toolsDirectory, options);
  // Where everything is at hand, there may be no network to get uv from.
  if (options.wheels !== undefined) return pipInstaller(pip, options);
  const uv = await fetchedUv(pip, toolsDirectory, options);
  return uv === undefined ? pipInstaller(pip, options) : uvInstaller(uv, options);
}

async function installedUv(toolsDirectory: string, options: InstallerOptions): Promise<CommandPrefix | undefined> {
  const places: readonly CommandPrefix[] = [
    ['uv'],
    [join(toolsDirectory, 'uv', 'bin', 'uv')],
    [options.interpreter.path, '-m', 'uv'],
  ];
  for (const place of places) if (await runs(place, options)) return place;
  return undefined;
}

async function fetchedUv(
  pip: CommandPrefix,
  toolsDirectory: string,
  options: InstallerOptions,
): Promise<CommandPrefix | undefined> {
  options.onLine('getting uv');
  const temporary = join(toolsDirectory, `uv-${process.pid}`);
  await mkdir(toolsDirectory, { recursive: true, mode: 0o700 });
  const args = [
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--only-binary',
    ':all:',
    '--target',
    temporary,
    'uv',
  ];
  const { status } = await runCommand(pip[0], [...pip.slice(1), ...args], options);
  const target = join(toolsDirectory, 'uv');
  if (status === 0) await rename(temporary, target).catch(() => {}); // another server was faster: its uv is used
  await rm(temporary, { recursive: true, force: true });
  const place: CommandPrefix = [join(target, 'bin', 'uv')];
  return (await runs(place, options)) ? place : undefined;
}

/** Says whether a command answers `--version`. */
export async function runs([command, ...first]: CommandPrefix, options: InstallerOptions): Promise<boolean> {
  if (
    command.includes('/') &&
    !(await access(command).then(
      () => true,
      () => false,
    ))
  )
    return false;
  const { status } = await runCommand(command, [...first, '--version'], { environment: options.environment });
  return status === 0;
}
