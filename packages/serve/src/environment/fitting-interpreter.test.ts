import type { ServablePackage } from '@ingot/core/serving/runtime';
import { expect, test } from 'vitest';
import { exactPins } from './fitting-interpreter.ts';

const interpreter = { path: '/usr/bin/python3', version: '3.11.9', platform: 'linux-x86_64' };
const LOCK = ['joblib==1.6.0', `numpy==2.4.6 --hash=sha256:${'a'.repeat(64)}`, 'scikit-learn==1.9.1'];
const made = { python: '3.11.7', platform: 'linux-x86_64', lines: LOCK };

function pinsOf(requirements: string[], rest: Partial<ServablePackage> = {}) {
  const manifest = 'sha256:00' as ServablePackage['manifest'];
  const model = { directory: '/', manifest, flavor: 'sklearn', environmentVariables: [], pythonVersion: '3.11.7' };
  return exactPins({ ...model, requirements, ...rest }, interpreter);
}

test('a package that pins everything says exactly what it was made with', () => {
  const requirements = ['numpy==2.4.6', "pandas == 3.1 ; python_version >= '3.10'"];
  expect(pinsOf(requirements)).toEqual({ wanted: requirements, others: [] });
});

test('what was recorded with the version has to be there as well', () => {
  expect(pinsOf(['scikit-learn'], { lock: made })).toEqual({
    wanted: ['joblib==1.6.0', 'numpy==2.4.6', 'scikit-learn==1.9.1'],
    others: [],
  });
});

test('what was recorded on another platform counts where it is installed here', () => {
  const lock = { ...made, platform: 'darwin-arm64' };
  expect(pinsOf(['Scikit_Learn==1.9.1'], { lock })).toEqual({
    wanted: ['Scikit_Learn==1.9.1'],
    others: ['joblib==1.6.0', 'numpy==2.4.6'],
  });
});

test.each([
  ['another minor Python', ['numpy==2.4.6'], { pythonVersion: '3.12.1' }],
  ['a range', ['numpy>=2'], {}],
  ['a bare name', ['numpy'], {}],
  ['a bare name, with a lock of another platform', ['numpy'], { lock: { ...made, platform: 'darwin-arm64' } }],
  ['a lock that contradicts what is wanted', ['numpy'], { lock: { ...made, lines: ['numpy==1.0', '-e .'] } }],
  ['an extra, whose parts are not pinned', ['torch[cuda]==2.9'], {}],
  ['a hash, which nothing installed remembers', [`numpy==2.4.6 --hash=sha256:${'a'.repeat(64)}`], {}],
  ['an address', ['numpy @ https://example.org/numpy.whl'], {}],
])('%s leaves it open', (_, requirements, rest) => {
  expect(pinsOf(requirements, rest)).toBeUndefined();
});

test('a graph is read by any version of what reads it, in any Python', () => {
  expect(pinsOf(['onnxruntime'], { flavor: 'onnx', pythonVersion: '3.8' })?.wanted).toEqual(['onnxruntime']);
});
