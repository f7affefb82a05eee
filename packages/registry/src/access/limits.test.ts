import { describe, expect, it } from 'vitest';
import { Buckets, SignInLimits } from './limits.ts';

describe('Buckets', () => {
  it('let a burst through, then as much as time brings, for each key alone', () => {
    let now = 0;
    const buckets = new Buckets({ perSecond: 2, burst: 3 }, () => now);
    expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 1]);
    expect(buckets.take('b')).toBe(0);
    now = 500;
    expect([buckets.take('a'), buckets.take('a')]).toEqual([0, 1]);
  });

  it('keep no more than a bounded number of keys', () => {
    const buckets = new Buckets({ perSecond: 1, burst: 1 }, () => 0);
    for (let key = 0; key < 25_000; key += 1) buckets.take(String(key));
    expect(buckets.take('0')).toBe(0); // Forgotten, so it begins anew.
    expect(buckets.take('24999')).toBe(1);
  });
});

describe('SignInLimits', () => {
  const wrong = (limits: SignInLimits, name: string, address: string, times: number): void => {
    for (let time = 0; time < times; time += 1) limits.failed(name, address);
  };

  it('end the tries for a name from an address after ten, and again a while later', () => {
    let now = 0;
    const limits = new SignInLimits(() => now);
    wrong(limits, 'ana', '10.0.0.1', 10);
    expect(() => limits.check('ana', '10.0.0.1')).toThrow(expect.objectContaining({ code: 'overloaded' }));
    expect(() => limits.check('ben', '10.0.0.1')).not.toThrow();
    now = 31_000;
    expect(() => limits.check('ana', '10.0.0.1')).not.toThrow();
  });

  it('end all tries from an address that tries many names', () => {
    const limits = new SignInLimits(() => 0);
    for (let name = 0; name < 50; name += 1) limits.failed(`name-${name}`, '10.0.0.1');
    expect(() => limits.check('ana', '10.0.0.1')).toThrow('too many failed sign-ins');
    expect(() => limits.check('ana', '10.0.0.2')).not.toThrow();
  });

  it('do not let strangers keep out whoever has signed in from an address before', () => {
    const limits = new SignInLimits(() => 0);
    limits.succeeded('ana', '10.0.0.1');
    for (let address = 0; address < 200; address += 1) limits.failed('ana', `10.1.0.${address}`);
    expect(() => limits.check('ana', '10.2.0.1')).toThrow('too many failed sign-ins');
    expect(() => limits.check('ana', '10.0.0.1')).not.toThrow();
  });
});
