import { describe, expect, it } from 'vitest';
import { checkedLabel, dnsLabel } from './dns-label.ts';
import { parseQuantity } from './quantity.ts';

describe('names in a cluster', () => {
  it.each([
    ['churn', 'churn'],
    ['team/Churn_v2.1', 'team-churn-v2-1'],
    ['2fast', 'm-2fast'],
    ['Über-Modell', 'uber-modell'],
    ['../../etc/passwd', 'etc-passwd'],
  ])('%s is called %s', (text, label) => {
    expect(dnsLabel(text)).toBe(label);
  });

  it('are cut with a hash of the whole, so that two long ones stay two', () => {
    const [one, other] = ['a', 'b'].map((end) => dnsLabel(`${'long-'.repeat(20)}${end}`));
    expect(one).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
    expect(one).not.toBe(other);
  });

  it('that somebody chose are refused, not repaired', () => {
    expect(checkedLabel('churn-7', 'a name')).toBe('churn-7');
    for (const text of ['Churn', '7up', 'a.b', '-a', 'a-', '', 'a\nb', `${'a'.repeat(41)}`])
      expect(() => checkedLabel(text, 'a name')).toThrow(/cannot be a name/);
  });
});

describe('amounts', () => {
  it('memory is limited to its request, a processor is not', () => {
    expect(parseQuantity('1Gi', 'memory')).toEqual({ request: '1Gi', limit: '1Gi' });
    expect(parseQuantity('500m', 'cpu')).toEqual({ request: '500m' });
    expect(parseQuantity('500m:2', 'cpu')).toEqual({ request: '500m', limit: '2' });
  });

  it.each(['', '0', '-1', '1GiB', '1e3', '2:1', '1:2:3', 'NaN', '1 Gi', "1'"])('%s is none', (text) => {
    expect(() => parseQuantity(text, 'memory')).toThrow(/--memory/);
  });
});
