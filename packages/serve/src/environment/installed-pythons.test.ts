import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { installedPythons } from './installed-pythons.ts';

const home = mkdtempSync(join(tmpdir(), 'ingot-pythons-'));
afterAll(() => rmSync(home, { recursive: true }));

test('Pythons of uv and pyenv are found by minor version, the newest first, and no other minor', async () => {
  for (const name of ['3.1.4', '3.12.1', '3.12.10', '3.13.0'])
    mkdirSync(join(home, '.pyenv/versions', name), { recursive: true });
  mkdirSync(join(home, '.local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu'), { recursive: true });
  const found = await installedPythons({ wanted: '3.12.7', environment: { HOME: home } });
  expect(found.map((path) => path.slice(home.length + 1))).toEqual([
    '.local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu/bin/python3.12',
    '.pyenv/versions/3.12.10/bin/python3.12',
    '.pyenv/versions/3.12.1/bin/python3.12',
  ]);
  expect(await installedPythons({ wanted: undefined, environment: { HOME: home } })).toEqual([]);
});
