import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
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

/** An interpreter with pip and without uv, where there is one. */
const PIP_PYTHON = ['/usr/bin/python3', '/usr/local/bin/python3'].find((python) => {
  const runs = (module: string): boolean => spawnSync(python, ['-m', module, '--version']).status === 0;
  return runs('pip') && !runs('uv') && NO_PYTHON === undefined;
});

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

  test('a build that a full disk ends says so and leaves nothing behind', async () => {
    const tools = await directories.make();
    const uv = `#!/bin/sh
case "$1$2" in
  --version) ;;
  pipcompile) while [ "$1" != --output-file ]; do shift; done; echo 'six==1.17.0 --hash=sha256:00' > "$2" ;;
  venv*) for last; do :; done; mkdir -p "$last"; head -c 1000 /dev/zero > "$last/part" ;;
  *) echo 'error: failed to copy: No space left on device (os error 28)' >&2; exit 2 ;;
esac`;
    await writeFile(join(tools, 'uv'), uv, { mode: 0o755 });
    const options = await optionsWith({ environment: { ...process.env, PATH: `${tools}:/usr/bin:/bin` } });
    await expect(prepareEnvironment(await wanting(['six==1.17.0']), options)).rejects.toMatchObject({
      code: 'disk-full',
      hint: 'free some space: ingot cache prune',
    });
    const left = await readdir(options.cacheDirectory);
    expect(left.filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
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

  test('an interpreter that has exactly what is wanted is taken where that is asked for, and said', async () => {
    const lines: string[] = [];
    const options = await optionsWith({ takeFitting: true, log: (_level, line) => lines.push(line) });
    const version = 'import importlib.metadata as m; print(m.version("scikit-learn"))';
    const pin = `scikit-learn==${execFileSync(TEST_PYTHON, ['-c', version], { encoding: 'utf8' }).trim()}`;
    const lock = { lines: [pin, 'no-such-thing==1.0'], python: '3', platform: 'any-other' };
    const taken = await prepareEnvironment(await wanting([pin], { lock }), options);
    expect(taken).not.toHaveProperty('isBuilt');
    expect(taken.path).toBe(TEST_PYTHON);
    expect(lines).toEqual([`${TEST_PYTHON} has exactly what the package asks for and runs it`]);
    const built = await prepareEnvironment(await wanting(['six==1.16.0']), options);
    expect(built.isBuilt).toBe(true);
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

describe.skipIf(PIP_PYTHON === undefined)('without uv', () => {
  test('pip resolves and installs, and a setup.py runs in the new environment', async () => {
    await using index = await indexOfOneWheel();
    const environment = { PATH: '/usr/bin:/bin', HOME: await directories.make(), PIP_INDEX_URL: index.url };
    const options = await optionsWith({ python: PIP_PYTHON, environment, allowSetup: true });
    const setup = 'import sys, tiny\nopen(sys.prefix + "/made-by-setup", "w").write(str(tiny.VALUE))\n';
    const model = await directories.package(
      { 'setup.py': setup },
      { requirements: ['tiny>=1'], setupPath: 'setup.py' },
    );
    const { path, isBuilt } = await prepareEnvironment(model, options);
    expect(isBuilt).toBe(true);
    expect(await readFile(join(path, '..', '..', 'made-by-setup'), 'utf8')).toBe('42');
    expect(await readFile(join(path, '..', '..', '..', 'ready.json'), 'utf8')).toContain('"installer":"pip"');
    const lock = await readFile(join(path, '..', '..', '..', 'requirements.lock'), 'utf8');
    expect(lock).toMatch(/^tiny==1\.0 --hash=sha256:[0-9a-f]{64}\n$/);
  });
});

describe.skipIf(NO_PYTHON)('without uv and pip', () => {
  test('the pip that Python brings along gets a place of its own, once', async () => {
    await using index = await indexOfOneWheel();
    const home = await directories.make();
    execFileSync(TEST_PYTHON, ['-m', 'venv', '--without-pip', join(home, 'bare')]);
    const environment = { PATH: '/usr/bin:/bin', HOME: home, PIP_INDEX_URL: index.url };
    const options = await optionsWith({ python: join(home, 'bare', 'bin', 'python'), environment });
    const first = await prepareEnvironment(await wanting(['tiny']), options);
    expect(execFileSync(first.path, ['-c', 'import tiny; print(tiny.VALUE)'], { encoding: 'utf8' })).toBe('42\n');
    const tools = await readdir(join(options.cacheDirectory, 'tools'));
    expect(tools).toEqual([expect.stringMatching(/^pip-[0-9a-f]{16}$/)]);
    const lines: string[] = [];
    const onProgress = ({ message }: { readonly message?: string }): void => void lines.push(message ?? '');
    await prepareEnvironment(await wanting(['tiny==1.0']), options, { onProgress });
    expect(lines).not.toContain('making a place for pip');
  });
});

const WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tiny.py", "VALUE = 42\\n")
    wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    names = ["tiny.py", "tiny-1.0.dist-info/METADATA", "tiny-1.0.dist-info/WHEEL", "tiny-1.0.dist-info/RECORD"]
    wheel.writestr("tiny-1.0.dist-info/RECORD", "".join(f"{name},,\\n" for name in names))
`;

/** A package index with one package, and no uv in it. */
async function indexOfOneWheel() {
  const name = 'tiny-1.0-py3-none-any.whl';
  const file = join(await directories.make(), name);
  execFileSync(TEST_PYTHON, ['-c', WHEEL, file]);
  const bytes = await readFile(file);
  const page = `<a href="/${name}#sha256=${createHash('sha256').update(bytes).digest('hex')}">${name}</a>`;
  const server = createServer(({ url }, response) => {
    const body = url === `/${name}` ? bytes : url === '/simple/tiny/' ? page : undefined;
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': url === `/${name}` ? 'application/zip' : 'text/html',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/simple/`, [Symbol.asyncDispose]: close };
}

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
