import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf } from '@ingot/core/digest';
import type { ServablePackage } from '@ingot/core/serving/runtime';

const repository = fileURLToPath(new URL('../../../../', import.meta.url));

/** The worker's files, where the repository has them. */
export const WORKER_DIRECTORY = join(repository, 'python', 'src', 'ingot', '_worker');

/** The repository's own Python environment, which has scikit-learn and pandas. */
export const TEST_PYTHON = join(repository, '.venv', 'bin', 'python');

/** Why tests that need that environment are skipped; undefined: they run. */
export const NO_PYTHON = existsSync(TEST_PYTHON) ? undefined : `${TEST_PYTHON} is missing; npm run setup makes it`;

/** Directories of a test file, removed together. */
export class TestDirectories implements AsyncDisposable {
  readonly #made: string[] = [];

  /** A new private directory with a short path. */
  async make(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'ingot-t-'));
    this.#made.push(directory);
    return directory;
  }

  /** A package with these files. */
  async package(
    files: Readonly<Record<string, string>>,
    rest: Partial<ServablePackage> = {},
  ): Promise<ServablePackage> {
    const directory = await this.make();
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
    const manifest = digestOf(JSON.stringify(files));
    return { directory, manifest, flavor: 'python', requirements: [], environmentVariables: [], ...rest };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const directory of this.#made.splice(0)) await rm(directory, { recursive: true, force: true });
  }
}
