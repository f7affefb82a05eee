import { describe, expect, test } from 'vitest';
import { assumedBase } from './assumed-base.ts';
import { pythonOfBase } from './python-of-base.ts';

const facts = { python: { path: '/usr/bin/python3.11', version: '3.11' } };
const choose = (named?: string) => pythonOfBase('debian:12', facts, named);

describe('the Python of a base', () => {
  test('is the one found there, also where its version is named', () => {
    expect(choose()).toEqual(facts.python);
    expect(choose('3.11.7')).toEqual(facts.python);
  });

  test('is another one by its path', () => {
    expect(choose('/opt/python/bin/python3.12')).toEqual({ path: '/opt/python/bin/python3.12', version: '3.12' });
  });

  test.each([
    ['3.12', 'environment-mismatch', 'has Python 3.11, not 3.12'],
    ['/usr/bin/python3.9', 'environment-mismatch', 'needs 3.10 or newer'],
    ['python', 'usage', 'neither a version nor a path'],
    ['/usr/bin/python3.11\nRUN x', 'usage', 'neither a version nor a path'],
    ['/usr/bin/../x y/python3.11', 'usage', 'neither a version nor a path'],
  ])('named %j is refused', (named, code, message) => {
    expect(() => choose(named)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('is missed where there is none', () => {
    expect(() => pythonOfBase('debian:12-slim', {})).toThrow('the base debian:12-slim has no Python');
  });

  test('of a Dockerfile is told by the name of the usual images, and by --python', async () => {
    const platform = { os: 'linux', architecture: 'amd64' };
    const of = async (name: string, python?: string) => (await assumedBase(name, platform, python).facts()).python;
    expect(await of('docker.io/library/python:3.12-slim')).toEqual({
      path: '/usr/local/bin/python3.12',
      version: '3.12',
    });
    expect(await of('debian:12', '/usr/bin/python3.11')).toEqual(facts.python);
    expect(await of('debian:12')).toBeUndefined();
  });
});
