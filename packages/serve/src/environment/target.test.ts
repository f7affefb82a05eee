import { IngotError } from '@ingot/core/errors';
import { describe, expect, test } from 'vitest';
import { pipPlatforms, platformOfTarget, uvPlatform } from './target.ts';
import { asTargetFailure, missingWheel } from './target-failure.ts';

const debian = { architecture: 'amd64', libc: { name: 'glibc', version: '2.36' }, python: '3.11' } as const;
const alpine = { architecture: 'arm64', libc: { name: 'musl', version: '1.2' }, python: '3.12' } as const;

describe('wheels are chosen', () => {
  test('for the C library of the image and no newer one', () => {
    expect(uvPlatform(debian)).toBe('x86_64-manylinux_2_36');
    expect(uvPlatform({ ...debian, libc: { name: 'glibc', version: '2.30' } })).toBe('x86_64-manylinux_2_28');
    expect(uvPlatform({ ...debian, libc: { name: 'glibc' } })).toBe('x86_64-manylinux_2_28');
    expect(pipPlatforms(debian)[0]).toBe('manylinux_2_36_x86_64');
    expect(pipPlatforms(debian)).not.toContain('manylinux_2_37_x86_64');
    expect(uvPlatform(alpine)).toBe('aarch64-unknown-linux-musl');
  });

  test('by pip where uv knows no such processor', () => {
    expect(uvPlatform({ ...debian, architecture: 's390x' })).toBeUndefined();
    expect(pipPlatforms({ ...debian, architecture: 's390x' })).toContain('manylinux2014_s390x');
  });

  test('from locks of the same platform only, which musl is not', () => {
    expect([platformOfTarget(debian), platformOfTarget(alpine)]).toEqual(['linux-x86_64', 'linux-musl-aarch64']);
  });
});

const UV = `error: No solution found when resolving dependencies
  cause: Because torch==2.9.0 has no wheels with a matching platform tag (e.g., \`musllinux_1_2_x86_64\`) and you require torch==2.9.0

hint: Wheels are available for \`torch\` (v2.9.0) on the following platforms: \`manylinux_2_28_x86_64\`, \`win_amd64\``;
const UV_WITH_SOURCE = 'cause: Because pandas==1.0.0 has no usable wheels and you require pandas==1.0.0';
const PIP = 'ERROR: No matching distribution found for torch==2.9.0';

describe('a missing wheel is told', () => {
  test.each([
    [
      UV,
      {
        name: 'torch',
        version: '2.9.0',
        available: ['manylinux_2_28_x86_64', 'win_amd64'],
        wanted: 'musllinux_1_2_x86_64',
      },
    ],
    [UV_WITH_SOURCE, { name: 'pandas', version: '1.0.0', available: [] }],
    [PIP, { name: 'torch', version: '2.9.0', available: [] }],
    ['error: Failed to fetch', undefined],
  ])('%s', (said, missing) => {
    expect(missingWheel(said)).toEqual(missing);
  });

  test('with package, version, platform and those there are, for the same Python first', () => {
    const error = new IngotError('environment-failed', UV_WITH_SOURCE);
    const listed = ['cp310-cp310-win_amd64', 'cp311-cp311-win_amd64'];
    expect(asTargetFailure(error, debian, listed)).toMatchObject({
      code: 'environment-failed',
      message:
        'pandas 1.0.0 has no wheel for linux-x86_64 with glibc 2.36 and Python 3.11; there are wheels for cp311-cp311-win_amd64',
      details: { package: 'pandas', version: '1.0.0', available: ['cp311-cp311-win_amd64'] },
    });
  });

  test('and anything else stays what it was', () => {
    const error = new IngotError('disk-full', UV);
    expect(asTargetFailure(error, debian)).toBe(error);
  });
});
