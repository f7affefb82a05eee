import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { filesUnder, repositoryPath } from '../scripts/lib/files.mjs';
import { inRoot } from '../scripts/lib/paths.mjs';

const FOLDERS = ['docs', 'examples', 'changes', 'bench', 'python', 'tools'];
const isPage = (path) => path.endsWith('.md');
const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'STYLE.md', 'CONTRIBUTING.md'].map((name) => inRoot(name)),
  ...FOLDERS.flatMap((folder) => filesUnder(inRoot(folder), isPage)),
].filter((path) => existsSync(path));
const named = pages.map((path) => [repositoryPath(path), readFileSync(path, 'utf8')]);

test.each(named)('every link of %s leads to a file that exists', (path, text) => {
  const prose = text.replace(/^ *```[\s\S]*?^ *```/gm, '').replace(/`[^`\n]*`/g, '');
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g), ...prose.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
  const local = links.filter((link) => !/^(https?:|mailto:|#)/.test(link)).map((link) => link.replace(/#.*/, ''));
  expect(local.filter((link) => !existsSync(join(dirname(inRoot(path)), link)))).toEqual([]);
});

test.each(named)('every JSON block of %s is JSON', (_, text) => {
  for (const [, block] of text.matchAll(/^ *```json\n([\s\S]*?)^ *```/gm)) expect(() => JSON.parse(block), block).not.toThrow();
});

test.each(named)('%s names only npm scripts that exist', (_, text) => {
  const { scripts } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const used = [...text.matchAll(/\bnpm run ([a-z:]+)/g)].map(([, name]) => name);
  expect(used.filter((name) => scripts[name] === undefined)).toEqual([]);
});
