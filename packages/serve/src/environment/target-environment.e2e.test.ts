import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NO_PYTHON, TEST_PYTHON, TestDirectories, WORKER_DIRECTORY } from '../testing/python-packages.ts';
import { findCompiler } from './bytecode.ts';
import { minorOf } from './interpreter.ts';
import { pipInstaller } from './pip.ts';
import { installForTarget, lockForTarget, type TargetOptions } from './target-environment.ts';
import { targetInstaller } from './target-installer.ts';
import { tidyInstalled } from './tidy-installed.ts';

const directories = new TestDirectories();
afterAll(() => directories[Symbol.asyncDispose]());

const ARM = { architecture: 'arm64', libc: { name: 'glibc', version: '2.36' }, python: '3.12' } as const;

async function optionsWith(rest: Partial<TargetOptions> = {}): Promise<TargetOptions> {
  const cacheDirectory = await directories.make();
  return { cacheDirectory, python: TEST_PYTHON, environment: process.env, log: () => {}, ...rest };
}

/** Digests of all files by path. */
async function filesOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const digests = paths.sort().map(async (path) => {
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    return [path.slice(directory.length), digest] as const;
  });
  return Object.fromEntries(await Promise.all(digests));
}

/** A Python with pip whose PATH leads to no uv. */
const PIP_PYTHON = ['/usr/bin/python3', '/usr/local/bin/python3'].find(
  (python) => spawnSync(python, ['-m', 'pip', '--version']).status === 0,
);

describe.skipIf(NO_PYTHON)('an environment for another machine', () => {
  const wants = { requirements: ['MarkupSafe==3.0.2'] };

  test('holds the wheel of that machine, the same bytes by uv and by pip', async () => {
    const options = await optionsWith();
    const lock = await lockForTarget(wants, ARM, options);
    expect(lock).toEqual([expect.stringMatching(/^markupsafe==3\.0\.2 --hash=sha256:/)]);
    const byUv = await directories.make();
    await installForTarget(lock, ARM, byUv, options);
    await tidyInstalled(byUv);
    const files = await filesOf(byUv);
    expect(Object.keys(files)).toContain('/markupsafe/_speedups.cpython-312-aarch64-linux-gnu.so');
    if (PIP_PYTHON === undefined) return;
    const scratch = await directories.make();
    const own = {
      interpreter: { path: PIP_PYTHON, version: '3.11', platform: 'linux-x86_64' },
      environment: process.env,
      allowSource: false,
      onLine: () => {},
    };
    const pip = pipInstaller([PIP_PYTHON, '-m', 'pip'], own);
    const byPip = await directories.make();
    const installer = targetInstaller(pip, async () => pip, ARM, own);
    await writeFile(join(scratch, 'lock.txt'), `${lock[0]}\n`);
    await installer.install(byPip, join(scratch, 'lock.txt'), scratch);
    await tidyInstalled(byPip);
    expect(await filesOf(byPip)).toEqual(files);
  });

  test('is resolved once and remembered, and refuses what is no named package', async () => {
    const options = await optionsWith();
    const lock = await lockForTarget(wants, ARM, options);
    const offline = { ...process.env, UV_DEFAULT_INDEX: 'http://127.0.0.1:9/', PIP_INDEX_URL: 'http://127.0.0.1:9/' };
    expect(await lockForTarget(wants, ARM, { ...options, environment: offline })).toEqual(lock);
    for (const line of ['--index-url http://127.0.0.1:9/', '-e .', 'a @ file:///etc', 'six; `id`', 'six\nb $(id)'])
      await expect(lockForTarget({ requirements: [line] }, ARM, options)).rejects.toMatchObject({ code: 'refused' });
  });

  test('is compiled to the same bytes twice, which Python takes without a look at the sources', async () => {
    const options = await optionsWith();
    const version = execFileSync(TEST_PYTHON, ['-c', 'import platform; print(platform.python_version())'], {
      encoding: 'utf8',
    });
    const here = { ...ARM, python: minorOf(version) };
    const compiler = await findCompiler(join(WORKER_DIRECTORY, 'compile_tree.py'), here, options);
    expect(compiler?.version).toBe(version.trim());
    const made = await Promise.all(
      [1, 2].map(() => directories.package({ 'a/b.py': 'NAMES = {"x", "y", "z"}\n', 'broken.py': 'print 1\n' })),
    );
    for (const { directory } of made) await compiler?.compile(directory, '/opt/place');
    const [first, second] = await Promise.all(made.map(({ directory }) => filesOf(directory)));
    expect(first).toEqual(second);
    expect(Object.keys(first ?? {}).filter((path) => path.endsWith('.pyc'))).toHaveLength(1);
    const cwd = made[0]?.directory ?? '';
    await writeFile(join(cwd, 'a/b.py'), 'NAMES = {"other"}\n');
    const said = execFileSync(TEST_PYTHON, ['-c', 'import a.b; print(sorted(a.b.NAMES))'], { cwd, encoding: 'utf8' });
    expect(said.trim()).toBe("['x', 'y', 'z']");
    expect(await findCompiler('', { ...here, python: '3.2' }, options)).toBeUndefined();
  });
});
