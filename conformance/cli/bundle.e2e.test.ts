/** Bundles as people use them: on a machine without a network, from server to server, with more files than layers. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { NO_PYTHON, TEST_PYTHON } from '../../packages/serve/src/testing/python-packages.ts';
import { ADDER } from './adder.ts';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';
import { up } from './up.ts';

beforeAll(buildOnce);

/** A wheel of one module, as pip and uv take it. */
const WHEEL = `
import base64, hashlib, sys, zipfile
def record(name, text):
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(text)}\\n"
files = {
    "tiny.py": "VALUE = 42\\n",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
    wheel.writestr("tiny-1.0.dist-info/RECORD", "".join(record(*each) for each in files.items()) + "tiny-1.0.dist-info/RECORD,,\\n")
`;

/** No index answers: neither pip's nor uv's. */
const NO_NETWORK = {
  PIP_INDEX_URL: 'http://127.0.0.1:9/simple/',
  PIP_RETRIES: '0',
  UV_OFFLINE: '1',
  PYTHON: TEST_PYTHON,
};

describe.skipIf(NO_PYTHON)('where no network leads', () => {
  it('a model is imported with its wheels and answers; without them its environment cannot be made', async () => {
    using directory = workDirectory({
      ...ADDER,
      'add/requirements.txt': 'tiny==1.0\n',
      'add/interface.py': `import tiny\n${ADDER['add/interface.py']}`,
      'rows.json': '[{"a": 1, "b": 2}]',
    });
    const cwd = directory.path;
    const wheels = join(cwd, 'wheels');
    mkdirSync(wheels);
    execFileSync(TEST_PYTHON, ['-c', WHEEL, join(wheels, 'tiny-1.0-py3-none-any.whl')]);
    const run = (words: readonly string[], env: Record<string, string> = {}) =>
      runIngot(words, { cwd, env: { ...NO_NETWORK, ...env } });
    expect((await run(['push', 'add', '--alias', 'production', '--quiet'])).status).toBe(0);
    const failed = await run(['export', 'add', '-o', 'none.tar', '--json']);
    expect(JSON.parse(failed.stderr).error).toMatchObject({ hint: expect.stringContaining('--no-wheels') });
    const exported = await run(['export', 'add', '-o', 'add.tar', '--json'], { PIP_FIND_LINKS: wheels });
    expect(exported).toMatchObject({ status: 0 });
    expect(JSON.parse(exported.stdout).versions[0].wheels).toEqual(['tiny-1.0-py3-none-any.whl']);
    const plant = { INGOT_REGISTRY: join(cwd, 'plant'), INGOT_CACHE: join(cwd, 'plant-cache') };
    expect(await run(['import', 'add.tar', '--quiet'], plant)).toMatchObject({ status: 0, stdout: 'add:1\n' });
    expect(await run(['predict', 'add@production', '-f', 'rows.json'], plant)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('3'),
    });
    // What came with wheels goes on with them.
    expect(await run(['export', 'add', '-o', 'again.tar'], plant)).toMatchObject({ status: 0 });
    const bare = { INGOT_REGISTRY: join(cwd, 'bare'), INGOT_CACHE: join(cwd, 'bare-cache') };
    expect((await run(['export', 'add', '-o', 'bare.tar', '--no-wheels'])).status).toBe(0);
    expect((await run(['import', 'bare.tar', '--quiet'], bare)).status).toBe(0);
    expect((await run(['predict', 'add', '-f', 'rows.json'], bare)).status).toBe(1);
  }, 180_000);
});

it('a bundle of a server is taken by another, of 1,001 files, with the history that chains; a policy keeps its aliases', async () => {
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`many/data/${n}.txt`, `file ${n}`]));
  using directory = workDirectory({
    ...many,
    'many/model.bin': 'x',
    'policy.yaml': 'policies: { "*": { aliases: { production: { approvals: 1 } } } }',
  });
  const cwd = directory.path;
  const other = join(cwd, 'other');
  mkdirSync(join(other, 'home'), { recursive: true });
  await using lab = await up(cwd);
  await using plant = await up(other);
  const at = (server: typeof lab) => ({ cwd, env: { INGOT_REGISTRY: server.said.url ?? '' } });
  expect(await runIngot(['push', 'many', '--name', 'many', '--alias', 'production'], at(lab))).toMatchObject({
    status: 0,
  });
  expect(await runIngot(['export', 'many@production', '-o', 'many.tar'], at(lab))).toMatchObject({ status: 0 });
  expect((await runIngot(['policy', 'apply', 'policy.yaml'], at(plant))).status).toBe(0);
  const imported = await runIngot(['import', 'many.tar', '--json'], at(plant));
  expect(imported.status).toBe(6);
  expect(JSON.parse(imported.stdout)).toMatchObject({
    added: 1,
    versions: [{ number: 1, added: true }],
    aliases: [{ alias: 'production', moved: false, error: { code: 'refused' } }],
  });
  const told = await runIngot(['history', 'many:1', '--origin', '--json'], at(plant));
  const there = await runIngot(['history', 'many', '--json'], at(lab));
  const digests = (text: string): readonly string[] =>
    JSON.parse(text).events.map(({ digest }: { readonly digest: string }) => digest);
  expect(digests(told.stdout)).toEqual(digests(there.stdout));
  // What came as a bundle is gone on with by a mirroring, which the same policy holds against.
  const mirrored = await runIngot(['mirror', lab.said.url ?? '', plant.said.url ?? '', '--json'], { cwd });
  expect(mirrored.status).toBe(6);
  expect(JSON.parse(mirrored.stdout)).toMatchObject({
    versions: { new: 0, there: 1 },
    aliases: [{ alias: 'production', moved: false, error: { code: 'refused' } }],
  });
  expect((await runIngot(['pull', 'many:1', '-o', 'out'], at(plant))).status).toBe(0);
  expect(readFileSync(join(cwd, 'out/data/7.txt'), 'utf8')).toBe('file 7');
}, 180_000);
