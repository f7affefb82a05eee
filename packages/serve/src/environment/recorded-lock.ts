import type { ServablePackage } from '@ingot/core/serving/runtime';
import { type Interpreter, minorOf } from './interpreter.ts';
import { constraintLines, isHashed } from './lock-lines.ts';
import type { Requirement } from './requirements.ts';

/** How a lock that was recorded with a version helps to make its environment. */
export interface RecordedLock {
  /** The lock itself, where it names the hashes of all files: nothing has to be resolved. */
  readonly lock?: string;
  /** Otherwise the versions to keep to while the requirements are resolved. */
  readonly constraints: readonly string[];
}

const LINE = /^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+(?: --hash=sha256:[0-9a-f]{64})*$/;

/**
 * Reads the recorded lock of a package for an interpreter. It is of use where the model was made with the same minor Python
 * on the same platform, and holds every requirement at a version that the requirement allows; undefined otherwise.
 */
export function recordedLock(
  { lock, requirements }: { readonly lock: ServablePackage['lock']; readonly requirements: readonly Requirement[] },
  interpreter: Interpreter,
): RecordedLock | undefined {
  if (lock === undefined || !fits(lock, interpreter) || !holdsAll(lock, requirements)) return undefined;
  // A local version (`2.9.0+cpu`) is of another index; what it needed there says nothing about the public one.
  const constraints = constraintLines(lock.lines).filter((line) => !line.includes('+'));
  if (constraints.length < lock.lines.length || !isHashed(lock.lines)) return { constraints };
  return {
    lock: `${lock.lines.map((line) => line.replaceAll(' --hash', ' \\\n    --hash')).join('\n')}\n`,
    constraints,
  };
}

/** Says whether a recorded lock consists of pins and holds every requirement at a version that the requirement allows. */
export function holdsAll(
  { lines }: NonNullable<ServablePackage['lock']>,
  requirements: readonly Requirement[],
): boolean {
  if (lines.length === 0 || !lines.every((line) => LINE.test(line))) return false;
  const pins = new Map(lines.map((line) => [distributionName(line), versionOf(line)]));
  return requirements.every((requirement) => isKept(requirement, pins));
}

/** Says whether a lock was recorded with the minor Python and on the platform of an interpreter. */
export function fits(lock: NonNullable<ServablePackage['lock']>, { version, platform }: Interpreter): boolean {
  return (
    lock.python !== undefined && minorOf(lock.python) === minorOf(version) && platformOf(platform) === lock.platform
  );
}

/** `macosx-11.0-arm64` is what `sys.platform` calls darwin; the others are called alike. */
function platformOf(platform: string): string {
  const [system = '', ...rest] = platform.split('-');
  return system === 'macosx' ? `darwin-${rest.at(-1) ?? ''}` : platform;
}

/** An exact pin must be the recorded version; of a looser one the name must be there: it was made with what allowed it. */
function isKept({ text }: Requirement, pins: ReadonlyMap<string, string>): boolean {
  // A marker may exclude this machine, and a hash of the author's own narrows what is resolved.
  if (text.includes(';') || text.includes('--hash')) return false;
  const version = pins.get(distributionName(text));
  if (version === undefined) return false;
  const exact = /===?\s*([A-Za-z0-9.!+_-]+)\s*$/.exec(text)?.[1];
  return exact === undefined ? !/[<>~!]/.test(text) : publicOf(exact) === publicOf(version);
}

/** The name that a line begins with, as all its spellings are one: `Scikit_Learn` is `scikit-learn`. */
export function distributionName(line: string): string {
  return (/^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(line)?.[0] ?? '').toLowerCase().replace(/[-_.]+/g, '-');
}

function versionOf(line: string): string {
  return /==(\S+)/.exec(line)?.[1] ?? '';
}

function publicOf(version: string): string {
  return version.split('+', 1)[0] ?? version;
}
