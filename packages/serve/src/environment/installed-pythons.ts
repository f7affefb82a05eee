import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { InterpreterOptions } from './interpreter.ts';

/**
 * Finds Pythons of the wanted minor version that uv and pyenv have installed and that `PATH` may not show: paths of
 * executables, the newest first. Nothing is run and nothing is fetched.
 */
export async function installedPythons({
  wanted,
  environment,
}: Pick<InterpreterOptions, 'wanted' | 'environment'>): Promise<readonly string[]> {
  if (wanted === undefined) return [];
  const minor = wanted.split('.').slice(0, 2).join('.');
  const found = await Promise.all(
    rootsOf(environment).map(async ({ directory, prefix }) => {
      const names = await readdir(directory).catch(() => []);
      const fitting = names.filter((name) => name === `${prefix}${minor}` || name.startsWith(`${prefix}${minor}.`));
      const newestFirst = fitting.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
      return newestFirst.map((name) => join(directory, name, 'bin', `python${minor}`));
    }),
  );
  return found.flat();
}

interface Root {
  readonly directory: string;
  readonly prefix: string;
}

function rootsOf({
  HOME,
  XDG_DATA_HOME,
  UV_PYTHON_INSTALL_DIR,
  PYENV_ROOT,
}: InterpreterOptions['environment']): readonly Root[] {
  const data = XDG_DATA_HOME || (HOME ? join(HOME, '.local', 'share') : undefined);
  const uv = UV_PYTHON_INSTALL_DIR || (data === undefined ? undefined : join(data, 'uv', 'python'));
  const pyenv = PYENV_ROOT || (HOME ? join(HOME, '.pyenv') : undefined);
  return [
    ...(uv === undefined ? [] : [{ directory: uv, prefix: 'cpython-' }]),
    ...(pyenv === undefined ? [] : [{ directory: join(pyenv, 'versions'), prefix: '' }]),
  ];
}
