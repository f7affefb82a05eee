import { expect, test } from 'vitest';
import { checkNamed, readRequirements } from './requirements.ts';

const textsOf = (...lines: string[]): string[] => readRequirements(lines).map(({ text }) => text);

test('comments and blank lines are not requirements and continued lines are one', () => {
  expect(textsOf('# made by hand', '', 'scikit-learn==1.5.0  # pinned', 'pandas \\', '  >=2')).toEqual([
    'scikit-learn==1.5.0',
    'pandas >=2',
  ]);
});

test.each([
  'scikit-learn',
  'scikit-learn==1.2.2',
  'pandas>=2,<3',
  'numpy ~= 1.26',
  'ray[default,tune]==2.9.0',
  'tomli>=1; python_version < "3.11" and sys_platform == \'linux\'',
  'six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274',
  'torch==2.1.0+cpu',
  'a==1.*',
])('%s is a named package', (line) => {
  expect(() => checkNamed(readRequirements([line]))).not.toThrow();
});

test.each([
  '--index-url https://example.com/simple',
  '-e .',
  '-r other.txt',
  'git+https://example.com/a.git',
  'a @ https://example.com/a-1.0-py3-none-any.whl',
  './wheels/a.whl',
  '/tmp/a',
  'https://example.com/a.tar.gz',
  'a==1 --config-settings x=y',
  'a; $(touch x)',
])('%s is refused with its line and the flag that admits it', (line) => {
  expect(() => checkNamed(readRequirements(['six', line]))).toThrow(
    expect.objectContaining({
      code: 'refused',
      message: expect.stringContaining('requirements.txt:2'),
      hint: expect.stringContaining('--allow-source'),
    }),
  );
});
