import { expect, test } from 'vitest';
import { constraintLines, isHashed, lockLines } from './lock-lines.ts';

const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];

test('what uv and pip write becomes one line a distribution', () => {
  const uv = `# by uv\nnumpy==2.4.6 \\\n    --hash=sha256:${b} \\\n    --hash=sha256:${a}\n    # via scipy\njoblib==1.6.0 \\\n    --hash=sha256:${a}\n`;
  expect(lockLines(uv)).toEqual([
    `joblib==1.6.0 --hash=sha256:${a}`,
    `numpy==2.4.6 --hash=sha256:${a} --hash=sha256:${b}`,
  ]);
  expect(lockLines(`joblib==1.6.0 --hash=sha256:${a}\n`)).toEqual([`joblib==1.6.0 --hash=sha256:${a}`]);
});

test('a lock is hashed when every line is, and constrains by its pins alone', () => {
  const lines = [`joblib==1.6.0 --hash=sha256:${a}`, 'numpy==2.4.6'];
  expect(isHashed(lines)).toBe(false);
  expect(isHashed(lines.slice(0, 1))).toBe(true);
  expect(isHashed([])).toBe(false);
  expect(constraintLines(lines)).toEqual(['joblib==1.6.0', 'numpy==2.4.6']);
});
