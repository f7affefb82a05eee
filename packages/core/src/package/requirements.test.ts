import { expect, test } from 'vitest';
import { normalizeDistribution, parseRequirements } from './requirements.ts';

test('names, extras, specifiers, markers, hashes, comments and continuation lines are read with their lines', () => {
  const { requirements } = parseRequirements(`# the environment
scikit-learn==1.9.1   # pinned
pandas [excel,sql] >= 2, <3 ; python_version < "3.13"

numpy==2.4.6 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
torch==2.1.0+cu121\r
tomli ~= 2.0
`);
  expect(requirements).toMatchObject([
    { kind: 'named', name: 'scikit-learn', specifier: '==1.9.1', line: 2, text: 'scikit-learn==1.9.1' },
    { name: 'pandas', extras: ['excel', 'sql'], specifier: '>=2,<3', marker: 'python_version < "3.13"', line: 3 },
    { name: 'numpy', specifier: '==2.4.6', hashes: ['sha256:aaaa', 'sha256:bbbb'], line: 5 },
    { name: 'torch', specifier: '==2.1.0+cu121', line: 8 },
    { name: 'tomli', specifier: '~=2.0', line: 9 },
  ]);
});

test.each([
  ['-r other.txt', 'option'],
  ['--extra-index-url https://example.org/simple', 'option'],
  ['-e .', 'option'],
  ['git+https://example.org/a.git@main', 'vcs'],
  ['a @ git+ssh://git@example.org/a.git', 'vcs'],
  ['a @ https://example.org/a-1.0.whl', 'url'],
  ['https://example.org/a-1.0.whl', 'url'],
  ['./wheels/a-1.0-py3-none-any.whl', 'path'],
  ['a @ file:///tmp/a.whl', 'path'],
  ['../a', 'path'],
  ['a-1.0.tar.gz', 'path'],
])('%s is %s and needs --allow-source', (text, kind) => {
  const { requirements, problems } = parseRequirements(text);
  expect(requirements).toMatchObject([{ kind, text, line: 1 }]);
  expect(problems.map(({ rule }) => rule)).toEqual(['requirements.source']);
});

test.each(['scikit-learn=1.0', 'pandas 2.0', '; rm -rf /', 'a==1.0; ', 'a==1 --no-deps', '$(touch x)', 'a`b`'])(
  '%s is refused with its line',
  (text) => {
    const { requirements, problems } = parseRequirements(`numpy==1.0\n${text}\n`);
    expect(requirements).toHaveLength(1);
    expect(problems).toMatchObject([{ severity: 'error', rule: 'requirements.syntax', line: 2 }]);
  },
);

test('missing pins and repeated names are one warning each', () => {
  const { problems } = parseRequirements('a\nb>=1\nc==1.*\nd==1.0\nD==2.0\n');
  expect(problems).toMatchObject([
    { severity: 'warning', rule: 'requirements.twice', line: 5 },
    { severity: 'warning', rule: 'requirements.unpinned', line: 1 },
  ]);
  expect(problems[1]?.message).toContain('a (line 1), b (line 2), c (line 3)');
});

test('a file that is not UTF-8 is said to be so', () => {
  expect(parseRequirements('n\0u\0m\0').problems).toMatchObject([{ rule: 'requirements.encoding' }]);
});

test('distribution names are compared as indexes do', () => {
  expect(normalizeDistribution('Scikit__Learn.x')).toBe('scikit-learn-x');
});
