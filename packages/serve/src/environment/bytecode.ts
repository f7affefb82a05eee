import { IngotError } from '@ingot/core/errors';
import { type Interpreter, minorOf } from './interpreter.ts';
import { lastLines, runCommand } from './run-command.ts';
import { findTargetInterpreter, type TargetOptions } from './target-environment.ts';
import type { EnvironmentTarget } from './target.ts';

/** What compiles the modules of an environment, so that it starts as fast as one that was used before. */
export interface BytecodeCompiler {
  /** `3.11.7`: what bytecode follows from, beside the sources. */
  readonly version: string;
  /**
   * Writes the bytecode of every module below a directory; `place` is where that will lie.
   * @throws IngotError `environment-failed`, `interrupted`.
   */
  compile(directory: string, place: string): Promise<void>;
}

/**
 * Finds a Python of this machine whose bytecode a target takes: one of the same minor version. Undefined where there is
 * none; the modules are compiled at every start then, where they lie on a read-only root.
 * @param script path of the worker's `compile_tree.py`.
 */
export async function findCompiler(
  script: string,
  target: EnvironmentTarget,
  options: TargetOptions,
): Promise<BytecodeCompiler | undefined> {
  let found: Interpreter;
  try {
    found = await findTargetInterpreter(target, options);
  } catch {
    return undefined; // installers say it when they need one
  }
  if (minorOf(found.version) !== target.python) return undefined;
  const { environment, signal } = options;
  return {
    version: found.version,
    async compile(directory, place) {
      const { status, stderr } = await runCommand(found.path, ['-s', '-Wignore', script, directory, place], {
        environment: { ...withoutPythonSettings(environment), ...STEADY },
        ...(signal && { signal }),
      });
      if (status === 0) return;
      throw new IngotError('environment-failed', `the modules could not be compiled:\n${lastLines(stderr)}`);
    },
  };
}

/** Old releases write sets of texts in the order of their hashes. */
const STEADY = { PYTHONHASHSEED: '0' };

function withoutPythonSettings(environment: TargetOptions['environment']): TargetOptions['environment'] {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('PYTHON')));
}
