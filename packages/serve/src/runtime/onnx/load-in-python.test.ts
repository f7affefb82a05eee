import { digestOf } from '@ingot/core/digest';
import { expect, test } from 'vitest';
import { forPython } from './load-in-python.ts';

const graph = (flavor: string, requirements: readonly string[]): Parameters<typeof forPython>[0] => ({
  directory: '/models/churn',
  flavor,
  requirements,
  environmentVariables: [],
  manifest: digestOf('a graph'),
});

test('a graph asks Python for onnxruntime, unless it names one; other packages ask for what they name', () => {
  expect(forPython(graph('onnx', [])).requirements).toEqual(['onnxruntime']);
  expect(forPython(graph('onnx', ['numpy', 'onnxruntime-gpu==1.2'])).requirements).toEqual([
    'numpy',
    'onnxruntime-gpu==1.2',
  ]);
  expect(forPython(graph('sklearn', ['numpy'])).requirements).toEqual(['numpy']);
});
