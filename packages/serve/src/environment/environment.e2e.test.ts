import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServablePackage } from '@ingot/core/serving/runtime';
import { afterAll, describe, expect, test } from 'vitest';
import { NO_PYTHON, TEST_PYTHON, TestDirectories, WORKER_DIRECTORY } from '../testing/python-packages.ts';
import { type EnvironmentOptions, prepareEnvironment } from './environment.ts';

const directories = new TestDirectories();
afterAll(() => directories[Symbol.asyncDispose]());

async function optionsWith(rest: Partial<EnvironmentOptions> = {}): Promise<EnvironmentOptions> {
  return {
    mode: 'auto',
    cacheDirectory: await directories.make(),
    checkScript: join(WORKER_DIRECTORY, 'requirements_check.py'),
    python: TEST_PYTHON,
    environment: process.env,
    log: () => {},
    ...rest,
  };
}

function wanting(requirements: readonly string[], rest: Partial<ServablePackage> = {}): Promise<ServablePackage> {
  return directories.package({}, { requirements, ...rest });
}

/** Nothing answers there: whoever asks an index fails. */
const OFFLINE = {
  UV_DEFAULT_INDEX: 'http://127.0.0.1:9/',
  PIP_INDEX_URL: 'http://127.0.0.1:9/',
  PIP_FIND_LINKS: undefined,
};

describe.skipIf(NO_PYTHON)('env auto', () => {
  test('builds once, shows what it does, and needs no network the second time', async () => {
    const options = await optionsWith();
    const model = await wanting(['six==1.17.0']);
    const lines: string[] = [];
    const onProgress = ({ message }: { readonly message?: string }): void => void lines.push(message ?? '');
    const first = await prepareEnvironment(model, options, { onProgress });
    expect(lines.join('\n')).toMatch(/resolving 1 requirements[\s\S]*installing 1 packages/);
    expect(execFileSync(first.path, ['-c', 'import six; print(six.__version__)'], { encoding: 'utf8' }).trim()).toBe(
      '1.17.0',
    );

    const again = await prepareEnvironment(model, { ...options, environment: { ...process.env, ...OFFLINE } });
    expect(again.path).toBe(first.path);
    const [lock] = (await readdir(join(options.cacheDirectory, 'locks'))).filter((name) => name.endsWith('.txt'));
    expect(await readFile(join(options.cacheDirectory, 'locks', lock ?? ''), 'utf8')).toMatch(
      /six==1\.17\.0[\s\S]*--hash=sha256:/,
    );
  });

  test('two servers that need the same environment make it once', async () => {
    const options = await optionsWith();
    const model = await wanting(['six==1.17.0']);
    const lines: string[] = [];
    const onProgress = ({ message }: { readonly message?: string }): void => void lines.push(message ?? '');
    const made = await Promise.all([1, 2, 3].map(() => prepareEnvironment(model, options, { onProgress })));
    expect(new Set(made.map(({ path }) => path)).size).toBe(1);
    expect(lines.filter((line) => line.startsWith('installing'))).toHaveLength(1);
  });

  test('an interrupted build is made again, not used', async () => {
    const options = await optionsWith();
    const model = await wanting(['six==1.17.0']);
    const { path } = await prepareEnvironment(model, options);
    const home = join(path, '..', '..', '..');
    execFileSync('rm', ['-r', join(home, 'ready.json'), join(home, 'venv', 'lib')]);
    const again = await prepareEnvironment(model, options);
    expect(execFileSync(again.path, ['-c', 'import six; print(six.__version__)'], { encoding: 'utf8' }).trim()).toBe(
      '1.17.0',
    );
  });

  test('requirements that cannot be met end with what the installer said', async () => {
    await expect(prepareEnvironment(await wanting(['six==99']), await optionsWith())).rejects.toMatchObject({
      code: 'environment-failed',
      message: expect.stringContaining('six==99'),
    });
  });

  test('what is not a named package is refused before anything is fetched', async () => {
    const options = await optionsWith({ environment: { ...process.env, ...OFFLINE } });
    await expect(
      prepareEnvironment(await wanting(['six', '--index-url http://127.0.0.1:9/']), options),
    ).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('requirements.txt:2'),
    });
  });

  test('setup.sh runs only when it is allowed', async () => {
    const files = { 'setup.sh': 'echo made > "$VIRTUAL_ENV/made-by-setup"\n' };
    const model = await directories.package(files, { requirements: ['six==1.17.0'], setupPath: 'setup.sh' });
    const lines: string[] = [];
    const options = await optionsWith({ log: (_level, line) => lines.push(line) });
    const without = await prepareEnvironment(model, options);
    expect(lines.join('\n')).toContain('setup.sh of the package is not run without --allow-setup');
    const allowed = await prepareEnvironment(model, { ...options, allowSetup: true });
    const made = (path: string): Promise<string> => readFile(join(path, '..', '..', 'made-by-setup'), 'utf8');
    expect(await made(allowed.path)).toBe('made\n');
    await expect(made(without.path)).rejects.toThrow('ENOENT');
  });
});

describe.skipIf(NO_PYTHON)('env current', () => {
  test('every mismatch is named in one error', async () => {
    const model = await wanting(['scikit-learn==1.2.2', 'no-such-thing', 'pandas'], { pythonVersion: '3.9' });
    await expect(prepareEnvironment(model, await optionsWith({ mode: 'current' }))).rejects.toMatchObject({
      code: 'environment-mismatch',
      message: expect.stringMatching(
        /Python 3\.9 wanted, 3\.\d+\.\d+ found; scikit-learn 1\.2\.2 wanted, \S+ found; no-such-thing wanted, not installed$/,
      ),
    });
  });

  test('an interpreter that fits is used as it is', async () => {
    const model = await wanting(['scikit-learn>=1', 'pandas']);
    const { path } = await prepareEnvironment(model, await optionsWith({ mode: 'current' }));
    expect(path).toBe(TEST_PYTHON);
  });

  test('an interpreter that does not run is an error that names it', async () => {
    const options = await optionsWith({ mode: 'current', python: '/no/such/python' });
    await expect(prepareEnvironment(await wanting([]), options)).rejects.toMatchObject({
      code: 'environment-failed',
      message: 'the Python interpreter /no/such/python does not run',
    });
  });
});
