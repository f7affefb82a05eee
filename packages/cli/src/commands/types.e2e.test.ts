import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { declareTypes } from '@ingot/core/declare-types';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../../..');
const CLIENT = join(ROOT, 'packages/client/src/connect.ts');

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-types-'));
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  const signature = {
    inputs: [
      { name: 'tenure', type: 'integer' as const },
      { name: 'plan', type: 'categorical' as const, categories: ['basic', 'pro'] },
    ],
    outputs: [{ name: 'risk', type: 'float' as const }],
    origin: 'metadata' as const,
  };
  await writeFile(join(directory, 'churn.ts'), declareTypes({ model: 'churn', number: 7, signature }));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function compiled(row: string): Promise<string> {
  const program = [
    `import { connect } from '${CLIENT}';`,
    "import type { ChurnInput, ChurnOutput } from './churn.ts';",
    "const churn = connect('http://127.0.0.1:8080').model<ChurnInput, ChurnOutput>('churn');",
    `const { predictions } = await churn.predict([${row}]);`,
    'export const risk: number | undefined = predictions[0];',
  ];
  await writeFile(join(directory, 'app.ts'), program.join('\n'));
  const flags = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2023,dom',
    '--types',
    '',
  ];
  const tsc = join(ROOT, 'node_modules/typescript-native/bin/tsc');
  return promisify(execFile)(process.execPath, [tsc, ...flags, '--allowImportingTsExtensions', 'app.ts'], {
    cwd: directory,
  }).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

test('the client takes rows of the declared type and refuses others when it is compiled', async () => {
  expect(await compiled("{ tenure: 5, plan: 'pro' }")).toBe('');
  expect(await compiled("{ tenure: 5, plan: 'gold' }")).toContain('"gold"');
  expect(await compiled("{ tenure: '5', plan: 'pro' }")).toContain("Type 'string' is not assignable to type 'number'");
});
