import type { Feature, Signature } from '@ingot/core/signature';
import { describe, expect, it } from 'vitest';
import { compareSignatures } from './compare-signatures.ts';

const age: Feature = { name: 'age', type: 'integer' };
const plan: Feature = { name: 'plan', type: 'categorical', categories: ['free', 'pro'] };
const score: Feature = { name: 'score', type: 'float' };
const signature = (inputs: Feature[], outputs: Feature[] = [score]): Signature => ({
  inputs,
  outputs,
  origin: 'metadata',
});
const breaks = (a: Signature, b: Signature) => compareSignatures(a, b).breaks;

describe('compareSignatures', () => {
  it('finds nothing that breaks between equal signatures, whatever their order and descriptions', () => {
    expect(breaks(signature([age, plan]), signature([plan, { ...age, description: 'years' }]))).toEqual([]);
  });

  it('lets an input take more than it took', () => {
    const wider = signature([
      { ...age, type: 'float' },
      { ...plan, categories: ['free', 'pro', 'team'] },
      { name: 'tenure', type: 'float', nullable: true },
    ]);
    expect(breaks(signature([age, plan]), wider)).toEqual([]);
  });

  it('calls it breaking when an input takes less, is new or is gone', () => {
    expect(breaks(signature([{ ...age, type: 'float' }]), signature([age]))).toEqual([
      'input age was float and is integer',
    ]);
    expect(breaks(signature([plan]), signature([{ ...plan, categories: ['free'] }]))).toEqual([
      'input plan no longer takes pro',
    ]);
    expect(breaks(signature([age]), signature([{ ...age, nullable: false }]))).toEqual([
      'input age may no longer be missing',
    ]);
    expect(breaks(signature([age]), signature([plan]))).toEqual([
      'input plan is new: callers do not send it',
      'input age is gone: callers send it',
    ]);
  });

  it('calls it breaking when answers take another form', () => {
    const other: Feature = { name: 'other', type: 'float' };
    expect(breaks(signature([age]), signature([age], [score, other]))).toEqual([
      'a prediction was one value and is an object',
    ]);
    expect(breaks(signature([age]), signature([age], [{ ...score, type: 'string' }]))).toEqual([
      'output score was float and is string',
    ]);
    expect(breaks(signature([age]), signature([age], [{ ...score, classes: ['no', 'yes'] }]))).toEqual([
      'output score has other classes',
    ]);
  });

  it('lets a tensor leave a dimension open, but not fix an open one', () => {
    const tensor = (shape: number[]): Feature => ({ name: 'x', type: 'tensor', dtype: 'FP32', shape });
    expect(breaks(signature([tensor([-1, 4])]), signature([tensor([-1, -1])]))).toEqual([]);
    expect(breaks(signature([tensor([-1, -1])]), signature([tensor([-1, 4])]))).toHaveLength(1);
  });
});
