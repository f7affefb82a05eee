/**
 * A *prebuilt* environment is one that was made elsewhere and lies in place, as in an image: an interpreter with exactly
 * what some packages need, and a file that says which. Such a package is run with it at once; nothing is looked for.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { canonicalJson, isJsonObject } from '@ingot/core/json';
import type { Interpreter } from './interpreter.ts';
import { readRequirements } from './requirements.ts';
import type { WantsEnvironment } from './target-environment.ts';

/** An interpreter and the packages it was made for. */
export interface Prebuilt extends Interpreter {
  /** {@link environmentKey} of what it was made for. */
  readonly key: string;
}

/** What the file is called; it lies beside `bin`. */
export const PREBUILT_FILE = 'environment.json';

/**
 * Names what a package asks of its environment: requirements and recorded lock. Two packages of one key run in one
 * environment.
 */
export function environmentKey({ requirements, lock }: WantsEnvironment): string {
  const asked = {
    requirements: readRequirements(requirements).map(({ text }) => text),
    lock: lock === undefined ? null : [...lock.lines],
  };
  return createHash('sha256').update(canonicalJson(asked)).digest('hex');
}

/** What the file says, as it is written into an image. */
export function prebuiltDocument(facts: {
  readonly model: WantsEnvironment;
  /** Of the image: `3.11`. */
  readonly version: string;
  readonly platform: string;
  readonly lock: readonly string[];
}): string {
  const { version, platform, lock } = facts;
  return `${canonicalJson({ prebuilt: 1, key: environmentKey(facts.model), version, platform, lock: [...lock] })}\n`;
}

/** Reads what lies beside an interpreter; undefined where it was not prebuilt. */
export function readPrebuilt(python: string | undefined): Prebuilt | undefined {
  if (python === undefined) return undefined;
  const file = join(dirname(dirname(python)), PREBUILT_FILE);
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!isJsonObject(value) || value.prebuilt !== 1) return undefined;
    const { key, version, platform } = value;
    if (typeof key !== 'string' || typeof version !== 'string' || typeof platform !== 'string') return undefined;
    return { key, version, platform, path: python };
  } catch {
    return undefined; // an interpreter like any other: it is compared with what a package asks for
  }
}
