import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import type { ServablePackage } from '@ingot/core/serving/runtime';
import { type Installer, type InstallerOptions, install } from './installer.ts';
import { runCommand } from './run-command.ts';
import { pythonOf } from './uv.ts';

/**
 * Runs a package's `setup.sh` or `setup.py` for a new environment, with the package as working directory and the
 * environment's programs first on the PATH. A `setup.py` that calls `setup()` is installed as a project.
 * @throws IngotError `environment-failed` with what it printed last.
 */
export async function runSetup(
  model: ServablePackage,
  environmentDirectory: string,
  installer: Installer,
  options: InstallerOptions,
): Promise<void> {
  const { setupPath, directory } = model;
  if (setupPath === undefined) return;
  options.onLine(`running ${setupPath}`);
  const script = join(directory, setupPath);
  const inside: InstallerOptions = { ...options, environment: activated(environmentDirectory, options.environment) };
  if (!setupPath.endsWith('.py')) {
    await install([await shell(inside)], [script], inside, directory);
    return;
  }
  const isProject = /^\s*(?:\w+\.)?setup\s*\(/m.test(await readFile(script, 'utf8'));
  if (isProject) await installer.installProject(environmentDirectory, directory);
  else await install([pythonOf(environmentDirectory)], [script], inside, directory);
}

async function shell({ environment }: InstallerOptions): Promise<string> {
  for (const name of ['bash', 'sh']) {
    const { status } = await runCommand(name, ['-c', ':'], { environment });
    if (status === 0) return name;
  }
  throw new IngotError('environment-failed', 'setup.sh needs a shell, and neither bash nor sh was found');
}

function activated(
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const path = [join(directory, 'bin'), environment.PATH].filter((part) => part).join(delimiter);
  return { ...environment, VIRTUAL_ENV: directory, PATH: path };
}
