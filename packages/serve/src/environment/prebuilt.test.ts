import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '@ingot/core/digest';
import { afterAll, describe, expect, test } from 'vitest';
import { findEnvironment } from './environment.ts';
import { environmentKey, prebuiltDocument, readPrebuilt } from './prebuilt.ts';

const root = mkdtempSync(join(tmpdir(), 'ingot-prebuilt-'));
afterAll(() => rmSync(root, { recursive: true }));
const python = join(root, 'bin/python');
const wants = { requirements: ['# pinned', 'six==1.17.0'], lock: { lines: ['six==1.17.0'], python: '3.11.7' } };
mkdirSync(join(root, 'bin'));
const document = prebuiltDocument({ model: wants, version: '3.11', platform: 'linux-x86_64', lock: [] });
writeFileSync(join(root, 'environment.json'), document);

const model = {
  ...wants,
  directory: root,
  manifest: digestOf('a manifest'),
  flavor: 'python',
  environmentVariables: [],
} as const;
const options = {
  mode: 'auto',
  cacheDirectory: join(root, 'cache'),
  checkScript: join(root, 'check.py'),
  startedFrom: python,
  // No interpreter is to be found.
  environment: { PATH: root },
  takeFitting: true,
  log: () => {},
} as const;

describe('a prebuilt environment', () => {
  test('runs what it was made for with nothing looked for', async () => {
    const { path } = await findEnvironment(model, options);
    expect(path).toBe(python);
  });

  test('does not run what asks for other versions, or another lock', async () => {
    expect(environmentKey({ requirements: ['six==1.17.0'], lock: wants.lock })).toBe(environmentKey(wants));
    const others = [
      { ...wants, requirements: ['six==1.16.0'] },
      { ...wants, lock: { ...wants.lock, lines: ['six==1.16.0'] } },
      { requirements: wants.requirements },
    ];
    for (const other of others) expect(environmentKey(other)).not.toBe(environmentKey(wants));
    const asked = { ...model, requirements: ['six==1.16.0'] };
    await expect(findEnvironment(asked, options)).rejects.toMatchObject({ code: 'environment-failed' });
  });

  test('is none where the file is missing or damaged', () => {
    expect(readPrebuilt(join(root, 'elsewhere/bin/python'))).toBeUndefined();
    expect(readPrebuilt(undefined)).toBeUndefined();
  });
});
