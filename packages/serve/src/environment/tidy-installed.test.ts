import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tidyInstalled } from './tidy-installed.ts';

const made: string[] = [];
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true });
});

function directoryOf(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'ingot-tidy-'));
  made.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const WHEEL = { 'six.py': 'x = 1\n', 'six.dist-info/METADATA': 'Name: six\n' };

test('two installers leave the same files', async () => {
  const byUv = directoryOf({
    ...WHEEL,
    '.lock': '',
    'bin/six': '#!/home/me/venv/bin/python\n',
    'six.dist-info/INSTALLER': 'uv',
    'six.dist-info/REQUESTED': '',
    'six.dist-info/RECORD':
      'six.py,sha256=a,6\n../../bin/six,,\nsix.dist-info/INSTALLER,sha256=b,2\nsix.dist-info/METADATA,sha256=c,10\nsix.dist-info/RECORD,,\n',
  });
  const byPip = directoryOf({
    ...WHEEL,
    '__pycache__/six.cpython-311.pyc': 'dated',
    'six.dist-info/INSTALLER': 'pip\n',
    'six.dist-info/direct_url.json': '{"url":"file:///home/me/six.whl"}',
    'six.dist-info/RECORD':
      'six.dist-info/METADATA,sha256=c,10\r\nsix.dist-info/RECORD,,\r\nsix.dist-info/INSTALLER,sha256=d,4\r\nsix.dist-info/direct_url.json,sha256=e,9\r\n__pycache__/six.cpython-311.pyc,,\r\nsix.py,sha256=a,6\r\n',
  });
  for (const directory of [byUv, byPip]) {
    await tidyInstalled(directory);
    expect((await readdir(directory, { recursive: true })).sort()).toEqual([
      'six.dist-info',
      'six.dist-info/METADATA',
      'six.dist-info/RECORD',
      'six.py',
    ]);
    expect(readFileSync(join(directory, 'six.dist-info/RECORD'), 'utf8')).toBe(
      'six.dist-info/METADATA,sha256=c,10\nsix.dist-info/RECORD,,\nsix.py,sha256=a,6\n',
    );
  }
});
