import { expect, test } from 'vitest';
import { resolveVariables } from './variables.ts';

test("the server's own value wins over the package's default", () => {
  const declared = [
    { name: 'A', default: '1' },
    { name: 'B', default: '2' },
  ];
  expect(resolveVariables(declared, { B: 'own' })).toEqual({ A: '1', B: 'own' });
});

test('every missing variable is named with its description in one error', () => {
  const declared = [
    { name: 'TOKEN', description: 'opens the feature store' },
    { name: 'REGION' },
    { name: 'A', default: '' },
  ];
  expect(() => resolveVariables(declared, {})).toThrow(
    expect.objectContaining({
      code: 'environment-mismatch',
      message: 'the model needs environment variables that are not set: TOKEN (opens the feature store); REGION',
    }),
  );
});
