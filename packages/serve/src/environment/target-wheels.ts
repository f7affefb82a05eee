import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { install, type InstallerOptions } from './installer.ts';
import { findPip } from './pip.ts';
import { findTargetInterpreter, type TargetOptions } from './target-environment.ts';
import { asTargetFailure } from './target-failure.ts';
import { type EnvironmentTarget, pipPlatforms } from './target.ts';
import { makeScratch } from './writable-directory.ts';

/** Wheels in a directory; disposing removes it. */
export interface DownloadedWheels extends AsyncDisposable {
  readonly directory: string;
  /** File names, sorted. */
  readonly names: readonly string[];
}

/**
 * Downloads the wheels of a lock for a machine that need not be this one, each checked against its hashes. Nothing is
 * installed and nothing of them runs.
 * @param lines `name==version --hash=sha256:…`, as `lockForTarget` gives them.
 * @throws IngotError `environment-failed` naming the package that has no wheel, `disk-full`, `interrupted`.
 */
export async function downloadWheels(
  lines: readonly string[],
  target: EnvironmentTarget,
  options: TargetOptions,
): Promise<DownloadedWheels> {
  const { cacheDirectory, environment, signal, onLine = () => {} } = options;
  const scratch = await makeScratch(cacheDirectory, '.wheels-');
  const remove = (): Promise<void> => rm(scratch, { recursive: true, force: true });
  const directory = join(scratch, 'wheels');
  try {
    await mkdir(directory);
    const own: InstallerOptions = {
      interpreter: await findTargetInterpreter(target, options),
      environment: { ...environment, ...QUIET, PYTHONPATH: undefined, PYTHONHOME: undefined, VIRTUAL_ENV: undefined },
      allowSource: false,
      signal,
      onLine,
    };
    const lockFile = join(scratch, 'requirements.lock');
    await writeFile(lockFile, `${lines.map((line) => line.replaceAll(' --hash', ' \\\n    --hash')).join('\n')}\n`);
    onLine(`downloading ${lines.length} wheels`);
    const pip = await findPip(join(cacheDirectory, 'tools'), own);
    await install(pip, [...argumentsFor(target), '--dest', directory, '-r', lockFile], own, scratch);
    const names = (await readdir(directory)).filter((name) => name.endsWith('.whl')).sort();
    return { directory, names, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw asTargetFailure(error, target);
  }
}

/** Nothing is installed, so that pip's advice on users means nothing. */
const QUIET = { PIP_ROOT_USER_ACTION: 'ignore', PIP_DISABLE_PIP_VERSION_CHECK: '1' };

function argumentsFor(target: EnvironmentTarget): readonly string[] {
  return [
    'download',
    '--disable-pip-version-check',
    '--quiet',
    ...['--no-deps', '--require-hashes', '--only-binary', ':all:'],
    ...pipPlatforms(target).flatMap((platform) => ['--platform', platform]),
    ...['--python-version', target.python, '--implementation', 'cp'],
    ...[`cp${target.python.replace('.', '')}`, 'abi3', 'none'].flatMap((tag) => ['--abi', tag]),
  ];
}
