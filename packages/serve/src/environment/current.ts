import { IngotError } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import type { ServablePackage } from '@ingot/core/serving/runtime';
import { type Interpreter, minorOf } from './interpreter.ts';
import { readRequirements } from './requirements.ts';
import { lastLines, runCommand } from './run-command.ts';

/**
 * Compares what a package asks for with what an interpreter has.
 * @throws IngotError `environment-mismatch` naming every difference at once.
 */
export async function checkCurrent(
  model: ServablePackage,
  interpreter: Interpreter,
  checkScript: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const requirements = readRequirements(model.requirements).map(({ text }) => text);
  const mismatches = await installedMismatches(requirements, interpreter, checkScript, environment);
  const { pythonVersion } = model;
  if (pythonVersion !== undefined && minorOf(pythonVersion) !== minorOf(interpreter.version)) {
    mismatches.unshift(`Python ${minorOf(pythonVersion)} wanted, ${interpreter.version} found`);
  }
  if (mismatches.length === 0) return;
  throw new IngotError(
    'environment-mismatch',
    `${interpreter.path} is not what the package asks for: ${mismatches.join('; ')}`,
    {
      hint: 'ingot serve … --env auto builds a matching environment; --env none runs it anyway',
      details: { python: interpreter.path, mismatches },
    },
  );
}

/** Says in which requirement lines an interpreter differs from what it has installed, one text a difference. */
export async function installedMismatches(
  requirements: readonly string[],
  interpreter: Interpreter,
  checkScript: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string[]> {
  if (requirements.length === 0) return [];
  const { status, stdout, stderr } = await runCommand(interpreter.path, [checkScript, ...requirements], {
    environment,
  });
  if (status !== 0) {
    throw new IngotError('environment-failed', `${interpreter.path} could not be checked:\n${lastLines(stderr)}`);
  }
  const parsed: unknown = JSON.parse(stdout);
  const found = isJsonObject(parsed) && Array.isArray(parsed.mismatches) ? parsed.mismatches : [];
  return found.filter((text) => typeof text === 'string');
}
