import { expect, test } from 'vitest';
import { keepPinnedHashes } from './pinned-hashes.ts';
import { readRequirements } from './requirements.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`);
const LOCK = `scikit-learn==1.9.1 \\\n    --hash=${A} \\\n    --hash=${B}\n    # via -r in\nsix==1.17.0 \\\n    --hash=${C}\n`;

test('only the files that requirements pin may be installed', () => {
  const pinned = keepPinnedHashes(LOCK, readRequirements([`Scikit_Learn==1.9.1 \\`, `    --hash=${B}`, 'six']));
  expect(pinned).toBe(`scikit-learn==1.9.1 \\\n    --hash=${B}\nsix==1.17.0 \\\n    --hash=${C}\n`);
});

test('a lock without pinned requirements stays as it is', () => {
  expect(keepPinnedHashes(LOCK, readRequirements(['scikit-learn', 'six==1.17.0']))).toBe(LOCK);
});

test('a pinned file that the index does not offer is an error that names the line', () => {
  expect(() => keepPinnedHashes(LOCK, readRequirements(['# pinned', `six==1.17.0 --hash=${A}`]))).toThrow(
    'requirements.txt:2: the index offers no file of six==1.17.0 with a hash that is named there',
  );
});

test('a lock that holds no hashes gets the pinned ones', () => {
  expect(keepPinnedHashes('six==1.17.0\n', readRequirements([`six --hash=${C}`]))).toBe(
    `six==1.17.0 \\\n    --hash=${C}\n`,
  );
});
