import { IngotError } from '@ingot/core/errors';
import { installedPythons } from './installed-pythons.ts';
import { runCommand } from './run-command.ts';

/** A Python interpreter that runs. */
export interface Interpreter {
  /** Its own executable, absolute. */
  readonly path: string;
  /** `3.11.7`. */
  readonly version: string;
  /** `linux-x86_64`, as wheels name platforms. */
  readonly platform: string;
}

/** Where to look for an interpreter. */
export interface InterpreterOptions {
  /** `--python` or `$PYTHON`: used and nothing else. */
  readonly python?: string | undefined;
  /** The version a package was made with, `3.11` or `3.11.7`: its minor version is tried first. */
  readonly wanted?: string | undefined;
  /** The server's environment, for `PATH`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Try the active virtual environment, and `python3`, before others (for the environment that is there already). */
  readonly preferActive?: boolean;
  /** The interpreter whose installation the command was started from: the active one, before others that claim to be. */
  readonly startedFrom?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MINORS = [14, 13, 12, 11, 10];
const PROBE =
  'import sys, sysconfig; print(sys.executable); print(".".join(map(str, sys.version_info[:3]))); print(sysconfig.get_platform())';

/**
 * Finds a Python of at least 3.10.
 * @throws IngotError `environment-failed` when there is none, or the one asked for does not run or is too old.
 */
export async function findInterpreter(options: InterpreterOptions): Promise<Interpreter> {
  const { python } = options;
  if (python !== undefined && python !== '') {
    const found = await probe(python, options);
    if (found !== undefined && isNewEnough(found.version)) return found;
    const what = found === undefined ? 'does not run' : `is ${found.version}; Ingot needs 3.10 or newer`;
    throw new IngotError('environment-failed', `the Python interpreter ${python} ${what}`);
  }
  const installed = await installedPythons(options);
  for (const candidate of candidates(options, installed)) {
    const found = await probe(candidate, options);
    if (found !== undefined && isNewEnough(found.version)) return found;
  }
  throw new IngotError(
    'environment-failed',
    'no Python of 3.10 or newer was found (python3.14 … python3.10, python3)',
    {
      hint: 'install Python, or name one: PYTHON=/path/to/python ingot serve …',
    },
  );
}

/** `3.11` of `3.11.7`. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function candidates(
  { wanted, environment, preferActive, startedFrom }: InterpreterOptions,
  installed: readonly string[],
): readonly string[] {
  const named = MINORS.map((minor) => `python3.${minor}`);
  const first = wanted === undefined ? [] : [`python${minorOf(wanted)}`, ...installed];
  const own = startedFrom ? [startedFrom] : [];
  const active = [...own, ...(environment.VIRTUAL_ENV ? [`${environment.VIRTUAL_ENV}/bin/python`] : [])];
  return [...new Set(preferActive ? [...active, 'python3', ...named] : [...first, ...named, 'python3', ...active])];
}

/** Runs it, because a name on the PATH may be a shim that leads nowhere. */
async function probe(command: string, { environment, signal }: InterpreterOptions): Promise<Interpreter | undefined> {
  const { status, stdout } = await runCommand(command, ['-c', PROBE], { environment, ...(signal && { signal }) });
  const [path, version, platform] = stdout.trim().split('\n');
  if (status !== 0 || !path || version === undefined || platform === undefined) return undefined;
  return { path, version, platform };
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 10);
}
