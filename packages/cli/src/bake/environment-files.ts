import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnvironmentFiles } from '@ingot/core/deploy/environment-layer';
import { type BytecodeCompiler, findCompiler } from '@ingot/serve/environment/bytecode';
import { prebuiltDocument } from '@ingot/serve/environment/prebuilt';
import { type EnvironmentTarget, platformOfTarget } from '@ingot/serve/environment/target';
import {
  installForTarget,
  lockForTarget,
  type TargetOptions,
  type WantsEnvironment,
} from '@ingot/serve/environment/target-environment';
import { tidyInstalled } from '@ingot/serve/environment/tidy-installed';
import { makeScratch } from '@ingot/serve/environment/writable-directory';
import { workerDirectory } from '../worker-directory.ts';

/** What an environment of an image is made of. */
export interface EnvironmentPlan {
  /** Whom it is for, for people: `churn:7`. */
  readonly of: string;
  readonly wants: WantsEnvironment;
  readonly target: EnvironmentTarget;
  /** The base's interpreter: `/usr/bin/python3.11`. */
  readonly python: string;
  /** The image serves other models, too, and makes their environments when it starts. Default: false. */
  readonly isGeneric?: boolean;
}

/** The files of an environment, and what compiles Python for them. */
export interface PlannedEnvironment extends EnvironmentFiles {
  readonly compiler?: BytecodeCompiler;
}

/** Installs what models ask for that no environment was made for; the same in every image of one release. */
const PIP = [
  'pip==25.3',
  '--hash=sha256:8d0538dbbd7babbd207f261ed969c65de439f6bc9e5dbd3b3b9a77f25d95f343',
  '--hash=sha256:9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd',
].join(' ');

/**
 * Resolves the environment of a package for an image, and says how its modules are had.
 * @throws IngotError as `lockForTarget` does.
 */
export async function environmentFiles(plan: EnvironmentPlan, options: TargetOptions): Promise<PlannedEnvironment> {
  const { of, wants, target, python, isGeneric = false } = plan;
  const resolved = await lockForTarget(wants, target, options);
  const hasPip = resolved.some((line) => line.startsWith('pip=='));
  const lock = isGeneric && !hasPip ? [...resolved, PIP].sort() : resolved;
  const compiler = await findCompiler(join(workerDirectory(), 'compile_tree.py'), target, options);
  if (compiler === undefined)
    options.log(
      'warn',
      `there is no Python ${target.python} here to compile the modules of the image; it starts more slowly`,
    );
  const platform = platformOfTarget(target);
  return {
    of,
    python,
    version: target.python,
    platform,
    lock,
    ...(compiler !== undefined && { compiler }),
    document: prebuiltDocument({ model: wants, version: target.python, platform, lock }),
    async install(place, call) {
      const directory = await makeScratch(options.cacheDirectory, '.image-');
      const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
      try {
        await installForTarget(lock, target, directory, { ...options, ...(call?.signal && { signal: call.signal }) });
        await tidyInstalled(directory);
        await compiler?.compile(directory, place);
        return { directory, [Symbol.asyncDispose]: remove };
      } catch (error) {
        await remove();
        throw error;
      }
    },
  };
}
