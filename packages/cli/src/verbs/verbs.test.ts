import { describe, expect, it } from 'vitest';
import { findVerb } from './find-verb.ts';
import { helpOf, helpOfAll } from './help.ts';
import { parseMetrics, parseVerb } from './parse.ts';
import type { VerbSpec } from './verb.ts';
import { VERBS } from './verbs.ts';

function parse(...words: string[]) {
  const found = findVerb(words);
  if (found === undefined) throw new Error('no verb');
  return parseVerb(found.path, found.verb, found.words);
}

const every = (verbs: readonly VerbSpec[]): VerbSpec[] => verbs.flatMap((verb) => [verb, ...every(verb.verbs ?? [])]);

describe('findVerb', () => {
  it('finds a verb after flags, and a verb of a group', () => {
    expect(findVerb(['--json', '--registry', 'ls', 'show', 'churn'])).toMatchObject({
      path: ['show'],
      words: ['--json', '--registry', 'ls', 'churn'],
    });
    expect(findVerb(['alias', 'set', 'a', 'b'])).toMatchObject({ path: ['alias', 'set'], words: ['a', 'b'] });
  });

  it('names the nearest verb for a mistyped one', () => {
    expect(() => findVerb(['pusj'])).toThrow(expect.objectContaining({ code: 'usage', nearest: 'ingot push' }));
    expect(() => findVerb(['alias', 'sett'])).toThrow(expect.objectContaining({ nearest: 'ingot alias set' }));
  });

  it('says of a verb of a later release that it is not in this one', () => {
    expect(() => findVerb(['sign', 'churn'])).toThrow('"ingot sign" is not in this release');
  });
});

describe('parseVerb', () => {
  it('reads switches, values, repeated values and arguments', () => {
    const parsed = parse('push', './churn', '--alias', 'a', '--alias=b', '--message', '-x', '--json');
    expect(parsed.argument(0)).toBe('./churn');
    expect(parsed.list('alias')).toEqual(['a', 'b']);
    expect(parsed.text('message')).toBe('-x');
    expect([parsed.isOn('json'), parsed.isOn('quiet'), parsed.isOn('no-color')]).toEqual([true, false, false]);
  });

  it('reads --no-color and flags with a dash in their name', () => {
    const parsed = parse('serve', 'churn', '--allow-setup', '--no-color');
    expect([parsed.isOn('allow-setup'), parsed.isOn('no-color'), parsed.isOn('allow-source')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('names the nearest flag for a mistyped one', () => {
    expect(() => parse('push', 'x', '--alis', 'a')).toThrow(
      expect.objectContaining({ code: 'usage', nearest: '--alias', hint: 'ingot push --help' }),
    );
  });

  it('refuses a missing argument, one too many and a missing mandatory flag', () => {
    expect(() => parse('push')).toThrow(/missing required argument "PATH"/);
    expect(() => parse('show', 'a', 'b')).toThrow(/too many arguments/);
    expect(() => parse('predict', 'churn')).toThrow(/-f, --file/);
  });

  it('refuses a metric that is no number', () => {
    expect(() => parseMetrics(['auc=high'])).toThrow('--metric auc is "high"; a metric is a number');
    expect(parseMetrics(['auc=0.97', 'n=1e3'])).toEqual({ auc: 0.97, n: 1000 });
  });

  it('takes metrics whose names hold "="', () => {
    expect(parseMetrics(['Quantile:alpha=0.9=17.5'])).toEqual({ 'Quantile:alpha=0.9': 17.5 });
    expect(() => parseMetrics(['=1'])).toThrow('has no key');
  });
});

describe('help', () => {
  it('lists every verb, and nothing that is not there', () => {
    const listed = [...helpOfAll().matchAll(/^ {2}([a-z][a-z-]*) {2,}/gm)].map((match) => match[1]);
    expect(listed).toEqual(expect.arrayContaining(VERBS.map((verb) => verb.name)));
    expect(helpOfAll()).not.toMatch(/\bsign\b|\berase\b/);
  });

  it('fits every line of every page into 110 characters', () => {
    const pages = every(VERBS).map((verb) => helpOf([verb.name], verb));
    for (const line of [helpOfAll(), ...pages].join('\n').split('\n'))
      expect(line.length, line).toBeLessThanOrEqual(110);
  });
});
