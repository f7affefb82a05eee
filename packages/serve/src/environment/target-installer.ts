import { writeFile } from 'node:fs/promises';
import { type Installer, type InstallerOptions, install } from './installer.ts';
import { lockOf } from './pip.ts';
import { type EnvironmentTarget, pipPlatforms, uvPlatform } from './target.ts';
import { withPipSettings } from './uv.ts';

/** Resolves and installs for a machine that is not this one, from wheels alone. */
export interface TargetInstaller {
  /** Writes the lock of a requirements file, with hashes. */
  lock(requirementsFile: string, lockFile: string, workingDirectory: string): Promise<void>;
  /** Unpacks exactly what the lock names into a directory of modules, every file checked against its hash. */
  install(directory: string, lockFile: string, workingDirectory: string): Promise<void>;
}

/** Has an installer work for a target; with pip where uv does not know the processor. */
export function targetInstaller(
  installer: Installer,
  pip: () => Promise<Installer>,
  target: EnvironmentTarget,
  options: InstallerOptions,
): TargetInstaller {
  const platform = uvPlatform(target);
  if (installer.name === 'uv' && platform !== undefined) return withUv(installer, platform, target, options);
  return withPip(installer.name === 'pip' ? async () => installer : pip, target, options);
}

const WHEELS = ['--only-binary', ':all:'];

function withUv(
  { command }: Installer,
  platform: string,
  { python }: EnvironmentTarget,
  given: InstallerOptions,
): TargetInstaller {
  const options = { ...given, environment: withPipSettings(given.environment) };
  const shared = ['--no-python-downloads', '--python', options.interpreter.path, '--no-config'];
  const target = ['--python-platform', platform, '--python-version', python, ...WHEELS];
  return {
    async lock(requirementsFile, lockFile, workingDirectory) {
      const args = ['pip', 'compile', ...shared, '--quiet', '--no-header', '--generate-hashes', ...target];
      await install(command, [...args, '--output-file', lockFile, requirementsFile], options, workingDirectory);
    },
    async install(directory, lockFile, workingDirectory) {
      const args = ['pip', 'install', ...shared, '--no-deps', '--require-hashes', '--link-mode', 'copy', ...target];
      await install(command, [...args, '--target', directory, '-r', lockFile], options, workingDirectory);
    },
  };
}

function withPip(
  find: () => Promise<Installer>,
  target: EnvironmentTarget,
  options: InstallerOptions,
): TargetInstaller {
  const abi = `cp${target.python.replace('.', '')}`;
  const shared = [
    'install',
    '--disable-pip-version-check',
    ...WHEELS,
    ...pipPlatforms(target).flatMap((platform) => ['--platform', platform]),
    ...['--python-version', target.python, '--implementation', 'cp'],
    ...[abi, 'abi3', 'none'].flatMap((tag) => ['--abi', tag]),
  ];
  const run = async (args: readonly string[], workingDirectory: string) =>
    install((await find()).command, [...shared, ...args], options, workingDirectory);
  return {
    async lock(requirementsFile, lockFile, workingDirectory) {
      const args = ['--quiet', '--dry-run', '--ignore-installed', '--report', '-', '--target', workingDirectory];
      const { stdout } = await run([...args, '-r', requirementsFile], workingDirectory);
      await writeFile(lockFile, lockOf(stdout), { mode: 0o600 });
    },
    async install(directory, lockFile, workingDirectory) {
      const args = ['--no-deps', '--require-hashes', '--no-compile', '--target', directory];
      await run([...args, '-r', lockFile], workingDirectory);
    },
  };
}
