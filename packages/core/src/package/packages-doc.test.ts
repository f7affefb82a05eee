import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseIgnore } from './ignore.ts';
import { checkInterface } from './interface-check.ts';
import { parseMetadata } from './metadata-yaml.ts';

const page = readFileSync(new URL('../../../../docs/packages.md', import.meta.url), 'utf8');
const room = fileURLToPath(new URL('.', import.meta.url));
const sources = readdirSync(room, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('testing'))
  .map((name) => readFileSync(`${room}${name}`, 'utf8'));

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text = '']) => text);
}

const FAMILIES =
  /'((?:package|path|flavor|name|label|interface|pickle|requirements|environment|metadata|onnx|foreign|keras|tensorflow)\.[a-z0-9-]+)'/g;
/** Literals of the same form that are no rules: files, and what the errors of this room say they were doing. */
const OTHERS = /\.(?:ya?ml|json|py|txt|read|open)$/;
const REPORTS = /(?:report\(\s*'(?:error|warning)',|\bat\()\s*[`']([^`']+)[`']/g;

/** All rules that the sources can report. Those of the metadata are written without their family. */
function rulesOfCode(): Set<string> {
  const text = sources.join('\n');
  const whole = [...text.matchAll(FAMILIES)].map(([, rule = '']) => rule).filter((rule) => !OTHERS.test(rule));
  const metadata = [...text.matchAll(REPORTS)].flatMap(([, rule = '']) =>
    rule.startsWith('$') ? ['categories', 'classes'].map((key) => rule.replace(/^\$\{key\}/, key)) : [rule],
  );
  const syntax = text.includes("'yaml-tag' : 'yaml-syntax'") ? ['yaml-tag', 'yaml-syntax'] : [];
  return new Set([...whole, ...[...metadata, ...syntax].map((rule) => `metadata.${rule}`)]);
}

test('the page lists every rule that the code reports, once, and no other', () => {
  const listed = [...page.matchAll(/^\| `([a-z]+\.[a-z0-9-]+)` \| (?:error|warning) \|/gm)].map(([, rule]) => rule);
  expect([...listed].sort()).toEqual([...rulesOfCode()].sort());
  expect(listed.length).toBeGreaterThan(70);
});

test('every example of the page is good as it stands', () => {
  const [metadata = ''] = blocks('yaml');
  expect(parseMetadata(metadata)).toMatchObject({ problems: [], metadata: { version: '1.10' } });
  const [python = ''] = blocks('python');
  expect(checkInterface(python, 'interface.py')).toEqual([]);
});

test('the ignore file of the page leaves out what its lines say', () => {
  const isIgnored = parseIgnore(blocks('gitignore')[0] ?? '');
  const paths = ['a/b.log', 'notes.md', 'deep/notes.md', 'data/raw/x.csv', 'data/vocabulary.csv', 'model.pkl'];
  expect(paths.filter((path) => isIgnored(path, false))).toEqual(['a/b.log', 'notes.md', 'data/raw/x.csv']);
  expect(isIgnored('run/checkpoints', true)).toBe(true);
});
