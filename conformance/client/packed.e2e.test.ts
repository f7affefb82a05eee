import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildOnce } from '../cli/build-once.ts';
import { runIngot, workDirectory } from '../cli/run-case.ts';
import { up } from '../cli/up.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript-native/bin/tsc');

let work: ReturnType<typeof workDirectory>;

/** An application of its own that has the packed client and nothing else. */
beforeAll(async () => {
  await buildOnce();
  await node(ROOT, 'scripts/build.mjs', '--quiet', '--libraries=client');
  work = workDirectory({ 'package.json': '{"private":true,"type":"module"}', 'churn/model.bin': 'x' });
  const packed = ['pack', '--silent', '--pack-destination', work.path, '--workspace', 'packages/client'];
  await promisify(execFile)('npm', packed, { cwd: ROOT });
  const [tarball = ''] = (await readdir(work.path)).filter((name) => name.endsWith('.tgz'));
  await promisify(execFile)('npm', ['install', '--offline', '--silent', `./${tarball}`], { cwd: work.path });
});
afterAll(() => work?.[Symbol.dispose]());

function node(cwd: string, ...words: readonly string[]): Promise<{ readonly stdout: string }> {
  return promisify(execFile)(process.execPath, [...words], { cwd });
}

/** The examples of a page in TypeScript that use the client. */
function examplesOf(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map(([, code = '']) => code)
    .filter((code) => code.includes('@ingot/client'));
}

async function compiled(name: string, code: string): Promise<string> {
  await mkdir(join(work.path, 'src'), { recursive: true });
  await writeFile(join(work.path, 'src', `${name}.ts`), `declare const token: string;\n${code}`);
  const flags = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,dom', '--types', ''];
  await node(work.path, TSC, ...flags, '--rootDir', 'src', '--outDir', 'out', `src/${name}.ts`);
  return join(work.path, 'out', `${name}.js`);
}

test('the packed client has its modules and declarations, and nothing else', async () => {
  const files = await readdir(join(work.path, 'node_modules/@ingot/client'), { recursive: true });
  const names = ['connect', 'errors', 'registry', 'request'].flatMap((name) => [
    `dist/${name}.d.ts`,
    `dist/${name}.js`,
  ]);
  expect(files.sort()).toEqual(['README.md', 'dist', ...names, 'package.json']);
});

test('every example of its pages compiles against the packed client', async () => {
  for (const [n, code] of [...examplesOf('packages/client/README.md'), ...examplesOf('docs/api.md')].entries())
    await compiled(`example-${n}`, code);
});

test('the example of docs/api.md resolves and finds what a registry server has', async () => {
  const cwd = work.path;
  const pushed = await runIngot(['push', 'churn', '--metric', 'auc=0.95', '--alias', 'production'], { cwd });
  expect(pushed.status, pushed.stderr).toBe(0);
  await using server = await up(cwd);
  const [example = ''] = examplesOf('docs/api.md');
  const program = await compiled('app', `${example}\nconsole.log(number);\n`);
  const served = readFileSync(program, 'utf8').replace('https://models.example.com', server.said.url ?? '');
  await writeFile(program, `const token = undefined;\n${served}`);
  expect((await node(cwd, program)).stdout).toBe('churn { auc: 0.95 }\n1\n');
});
