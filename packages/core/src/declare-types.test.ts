import { describe, expect, test } from 'vitest';
import { declareTypes } from './declare-types.ts';
import type { Feature } from './signature.ts';

function typesOf(inputs: readonly Feature[], outputs: readonly Feature[] = []): string {
  return declareTypes({ model: 'team/churn-risk', number: 7, signature: { inputs, outputs, origin: 'metadata' } });
}

describe('the declared types of a model', () => {
  test('name every input with its type, categories as unions', () => {
    const text = typesOf([
      { name: 'age', type: 'integer', min: 0, max: 120 },
      { name: 'plan', type: 'categorical', categories: ['basic', 'pro', 3, true] },
      { name: 'signed up', type: 'datetime', nullable: true, timezone: 'Europe/Berlin' },
      { name: 'image', type: 'tensor', dtype: 'FP32', shape: [-1, 8, 8] },
    ]);
    expect(text).toContain('export interface TeamChurnRiskInput {');
    expect(text).toContain('  /** From 0 to 120. */\n  readonly age: number;');
    expect(text).toContain('  readonly plan: "basic" | "pro" | 3 | true;');
    expect(text).toContain('  readonly "signed up": string | null;');
    expect(text).toContain('  readonly image: readonly number[][];');
  });

  test('name the output: a scalar for one, an object for several, unknown for none', () => {
    expect(typesOf([], [{ name: 'risk', type: 'float' }])).toContain('export type TeamChurnRiskOutput = number;');
    const several = typesOf(
      [],
      [
        { name: 'risk', type: 'float' },
        { name: 'label', type: 'categorical', classes: ['stays', 'goes'] },
      ],
    );
    expect(several).toContain('export interface TeamChurnRiskOutput {');
    expect(several).toContain('readonly label: "stays" | "goes";');
    expect(typesOf([])).toContain('export type TeamChurnRiskOutput = unknown;');
  });

  test('are not escaped from by what people write', () => {
    const text = typesOf([{ name: 'a"; evil(); "', type: 'float', description: 'ends */ evil(); /* here\nand there' }]);
    expect(text).toContain('readonly "a\\"; evil(); \\"": number;');
    expect(text).toContain('/** ends * / evil(); /* here and there */');
  });
});
