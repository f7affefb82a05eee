import { IngotError, isIngotError } from '@ingot/core/errors';
import { describeTarget, type EnvironmentTarget } from './target.ts';

/**
 * Says in one sentence which package has no wheel for a target, and which wheels there are, where that is why an installer
 * failed. Other failures are given as they are.
 * @param listed tags of the wheels there are, where the installer did not say them.
 * @example
 * throw asTargetFailure(error, target); // torch 2.9.0 has no wheel for linux-x86_64 with musl 1.2 and Python 3.11; there are wheels for …
 */
export function asTargetFailure(error: unknown, target: EnvironmentTarget, listed: readonly string[] = []): unknown {
  if (!isIngotError(error, 'environment-failed')) return error;
  const missing = missingWheel(error.message);
  if (missing === undefined) return error;
  const { name, version, wanted } = missing;
  const available = missing.available.length > 0 ? missing.available : nearest(listed, target);
  const what = version === undefined ? name : `${name} ${version}`;
  const there = available.length === 0 ? '' : `; there are wheels for ${available.join(', ')}`;
  return new IngotError('environment-failed', `${what} has no wheel for ${describeTarget(target)}${there}`, {
    operation: 'bake',
    hint: 'pin a version that has one, or bake onto another base (--base, --python, --platform)',
    details: {
      package: name,
      ...(version !== undefined && { version }),
      ...(wanted !== undefined && { wanted }),
      available: [...available],
      said: error.message,
    },
    cause: error,
  });
}

/** Those for the same Python where there are any: then it is the platform that is missing. */
function nearest(tags: readonly string[], { python }: EnvironmentTarget): readonly string[] {
  const cpython = `cp${python.replace('.', '')}-`;
  const same = tags.filter((tag) => tag.startsWith(cpython) || /^(?:py3|cp3\d+-abi3)/.test(tag));
  return same.length > 0 ? same : tags;
}

/** What an installer says has no wheel. */
export interface MissingWheel {
  readonly name: string;
  readonly version?: string;
  /** The tag that was wanted, where the installer says it. */
  readonly wanted?: string;
  /** Tags of platforms or of Pythons. */
  readonly available: readonly string[];
}

const HINTS = [
  /Wheels are available for `([^`]+)` \(v([^)]+)\) on the following platforms?: ([^\n]+)/,
  /wheels for `([^`]+)` \(v([^)]+)\) with the following Python (?:ABI |implementation )?tags?: ([^\n]+)/,
];
const CAUSE = /(?:Because|all versions of) ([A-Za-z0-9._-]+?)(?:==(\S+))? (?:has|have) no (?:usable )?wheels/;
const PIP = /No matching distribution found for ([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:==(\S+))?/;
const WANTED = /matching (?:platform|Python ABI|Python) tag \(e\.g\., `([^`]+)`\)/;

/** Reads what installers say of a package without a wheel; undefined where they say something else. */
export function missingWheel(said: string): MissingWheel | undefined {
  const wanted = WANTED.exec(said)?.[1];
  const tag = wanted === undefined ? {} : { wanted };
  for (const hint of HINTS) {
    const [, name, version, tags] = hint.exec(said) ?? [];
    if (name !== undefined && version !== undefined && tags !== undefined)
      return { name, version, ...tag, available: [...tags.matchAll(/`([^`]+)`/g)].map(([, each]) => each ?? '') };
  }
  const [, name, version] = CAUSE.exec(said) ?? PIP.exec(said) ?? [];
  if (name === undefined) return undefined;
  return { name, ...(version !== undefined && { version }), ...tag, available: [] };
}
