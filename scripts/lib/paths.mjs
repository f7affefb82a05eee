/** Where things lie in the clone. Everything is found from this file, so the scripts work from any directory. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the clone. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

/** A path inside the clone. */
export const inRoot = (...parts) => join(ROOT, ...parts);

/** The command line's entry file, as `npx ingot` runs it. */
export const CLI_ENTRY = inRoot('packages/cli/bin/ingot.js');

/** The clone's Python environment. */
export const VENV = inRoot('.venv');

/** The interpreter inside a virtual environment. */
export const pythonOf = (venv) =>
  process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python');
