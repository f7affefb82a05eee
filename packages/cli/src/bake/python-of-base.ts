import type { BaseFacts } from '@ingot/core/deploy/base-image';
import { IngotError } from '@ingot/core/errors';

/** An interpreter of a base image. */
export interface BasePython {
  /** Absolute. */
  readonly path: string;
  /** `3.11`. */
  readonly version: string;
}

const PATH = /^(\/[\w.+-]+)+\/python(3\.\d{1,2})$/;
const OLDEST_MINOR = 10;

/**
 * Chooses the interpreter of a base: the one found in it, or the one that is named by version or path.
 * @throws IngotError `environment-mismatch` where the base has none, or another one; `usage` for a name that is neither.
 * @example
 * pythonOfBase('debian:bookworm', facts, '/opt/python/bin/python3.12'); // { path: '/opt/…', version: '3.12' }
 */
export function pythonOfBase(base: string, { python }: Pick<BaseFacts, 'python'>, named?: string): BasePython {
  const byPath = named === undefined ? null : PATH.exec(named);
  if (named !== undefined && byPath?.[2] !== undefined) return checkAge({ path: named, version: byPath[2] }, base);
  if (named !== undefined && !/^3\.\d{1,2}(?:\.\d+)?$/.test(named))
    throw new IngotError('usage', `--python "${named.slice(0, 80)}" is neither a version nor a path in the image`, {
      operation: 'bake',
      hint: '--python 3.11   or   --python /usr/local/bin/python3.11',
    });
  if (python === undefined)
    throw new IngotError('environment-mismatch', `the base ${base} has no Python, which the model needs`, {
      operation: 'bake',
      hint: '--base python:3.11-slim   or another with Python; --python names its path where that is unusual',
    });
  const wanted = named?.split('.').slice(0, 2).join('.') ?? python.version;
  if (wanted === python.version) return checkAge(python, base);
  throw new IngotError('environment-mismatch', `the base ${base} has Python ${python.version}, not ${wanted}`, {
    operation: 'bake',
    hint: `--base python:${wanted}-slim   or another with Python ${wanted}`,
    details: { found: python.version, wanted },
  });
}

function checkAge(python: BasePython, base: string): BasePython {
  if (Number(python.version.split('.')[1]) >= OLDEST_MINOR) return python;
  throw new IngotError(
    'environment-mismatch',
    `the base ${base} has Python ${python.version}; Ingot needs 3.${OLDEST_MINOR} or newer`,
    { operation: 'bake' },
  );
}
