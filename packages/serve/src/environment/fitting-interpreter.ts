/**
 * An interpreter *fits* a package when it is what the package was made with: the same minor Python, and every distribution at
 * exactly the version that is pinned or recorded. Then an environment of its own would only hold the same files again.
 */

import type { ServablePackage } from '@ingot/core/serving/runtime';
import { installedMismatches } from './current.ts';
import { type Interpreter, minorOf } from './interpreter.ts';
import { constraintLines } from './lock-lines.ts';
import { distributionName, fits, holdsAll } from './recorded-lock.ts';
import { type Requirement, readRequirements } from './requirements.ts';

/** What an interpreter must have to fit: all of `wanted`, and of `others` those that are installed. */
export interface ExactPins {
  readonly wanted: readonly string[];
  readonly others: readonly string[];
}

const PINNED = /^[A-Za-z0-9][A-Za-z0-9._-]*\s*={2,3}\s*[A-Za-z0-9.!+_-]+\s*(?:;.*)?$/;
const NAMED = /^[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:[<>=!~].*)?$/;

/**
 * Says whether an interpreter fits a package. Runs it once, where there is anything to compare.
 * @throws IngotError `environment-failed` when it cannot be asked.
 */
export async function isFitting(
  model: ServablePackage,
  interpreter: Interpreter,
  checkScript: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const pins = exactPins(model, interpreter);
  if (pins === undefined) return false;
  const mismatches = await installedMismatches([...pins.wanted, ...pins.others], interpreter, checkScript, environment);
  const forgiven = new Set(pins.others.map((pin) => `${pin.replace('==', ' ')} wanted, not installed`));
  return mismatches.every((text) => forgiven.has(text));
}

/**
 * The versions that a package is known to work with, for an interpreter: its own pins, and what was recorded with it.
 * Undefined where that leaves anything open: another minor Python, a range, an extra, a hash, an address.
 */
export function exactPins(
  { flavor, requirements, lock, pythonVersion }: ServablePackage,
  interpreter: Interpreter,
): ExactPins | undefined {
  const wanted = readRequirements(requirements);
  // A graph is no Python: any version of what reads it will do, unless the package says otherwise.
  if (flavor === 'onnx')
    return wanted.every(({ text }) => NAMED.test(text)) ? { wanted: texts(wanted), others: [] } : undefined;
  if (pythonVersion !== undefined && minorOf(pythonVersion) !== minorOf(interpreter.version)) return undefined;
  if (lock !== undefined && holdsAll(lock, wanted)) {
    const pins = constraintLines(lock.lines);
    if (fits(lock, interpreter)) return { wanted: pins, others: [] };
    // Of another platform: what it needed there may not exist here, but what is here has to be the same.
    return pinned(wanted, pins);
  }
  return pinned(wanted, []);
}

function pinned(wanted: readonly Requirement[], recorded: readonly string[]): ExactPins | undefined {
  if (!wanted.every(({ text }) => PINNED.test(text))) return undefined;
  const names = new Set(wanted.map(({ text }) => distributionName(text)));
  return { wanted: texts(wanted), others: recorded.filter((pin) => !names.has(distributionName(pin))) };
}

function texts(requirements: readonly Requirement[]): readonly string[] {
  return requirements.map(({ text }) => text);
}
