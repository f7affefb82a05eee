import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withoutExtension } from './choose.ts';
import { modelNameFrom } from './model-name.ts';
import { parsePlainAddress } from './plain-address.ts';
import { readName } from './read-name.ts';
import { versionOf } from './source-version.ts';

const page = readFileSync(new URL('../../../../docs/addresses.md', import.meta.url), 'utf8');

function table(title: string): string[][] {
  const rows = page.split(`| ${title} |`)[1]?.split('\n\n')[0]?.split('\n').slice(2) ?? [];
  return rows.map((row) => row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

test('every address of the page is looked for where the page says', () => {
  const rows = table('address');
  expect(rows.length).toBeGreaterThan(15);
  for (const [address = '', root = '', what = ''] of rows) {
    const found = parsePlainAddress(address.slice(1, -1), { cwd: '/srv', home: '/home/ana' });
    const name = found.parts.map((part) => (found.isPattern ? part.text : part.literal)).join('/');
    const newest = found.isDirectory ? `the newest directory of \`${name}\`` : `the newest of \`${name}\``;
    const said = [
      ...(found.objectVersion === undefined ? [] : [`the ${kindOf(found.objectVersion)}\` of \`${name}\``]),
      ...(found.isPattern ? [newest] : found.isDirectory ? [`the directory \`${name}\``] : [`the file \`${name}\``]),
      ...(found.isPattern || found.isDirectory ? [] : [`the file or directory \`${name}\``]),
    ];
    expect(`\`${found.root}\``, address).toBe(root);
    expect(said, address).toContain(what);
  }
});

function kindOf(objectVersion: string): string {
  return objectVersion.startsWith('snapshot:') ? objectVersion.replace(':', ' `') : `version \`${objectVersion}`;
}

test('every name of the page is read as the page says', () => {
  const rows = table('name');
  expect(rows.length).toBeGreaterThan(15);
  for (const [name = '', wanted] of rows) {
    const bare = withoutExtension(name.slice(1, -1));
    const { marks } = readName(bare);
    const { text, date } = versionOf(marks, new Date(0));
    const day = date?.replace(/T00:00:00\.000Z$|:00\.000Z$/, '');
    const said = marks.length === 0 ? 'no version' : day === undefined ? `version \`${text}\`` : `date \`${day}\``;
    expect(`\`${modelNameFrom([bare])}\`, ${said}`, name).toBe(wanted);
  }
});
