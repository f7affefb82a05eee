import { describe, expect, test } from 'vitest';
import { parseRequest } from './engine-request.ts';
import { staysLocal } from './stays-local.ts';

describe('a request', () => {
  test('is words, directory and environment, and standard input where there is one', () => {
    const line = '{"words":["ls","--json"],"cwd":"/tmp","env":{"HOME":"/root"}}';
    expect(parseRequest(line)).toEqual({ words: ['ls', '--json'], cwd: '/tmp', env: { HOME: '/root' }, input: '' });
  });

  test.each(['[]', '{}', '{"words":"ls","cwd":"/","env":{}}', '{"words":[],"cwd":"/","env":{"A":1}}'])(
    '%s is none',
    (line) => {
      expect(() => parseRequest(line)).toThrow('no request');
    },
  );
});

describe('an engine serves a second command', () => {
  test.each([
    [['push', './churn', '--name', 'churn'], '/srv/models'],
    [['show', 'team/churn:7'], '/srv/models'],
    [['show', 'churn'], 'file:///srv/models'],
    [['push', 'C:/models/churn.pkl'], 'D:/store'],
  ])('after %j on %s', (words, registry) => {
    expect(staysLocal(words, registry)).toBe(true);
  });

  test.each([
    [['show', 'churn'], 's3://bucket/models'],
    [['push', 's3://bucket/churn.pkl'], '/srv/models'],
    [['push', 'models:/churn/7'], '/srv/models'],
    [['show', 'churn', '--registry=https://host/models'], '/srv/models'],
  ])('but not after %j on %s', (words, registry) => {
    expect(staysLocal(words, registry)).toBe(false);
  });
});
