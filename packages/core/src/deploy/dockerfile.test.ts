import { describe, expect, test } from 'vitest';
import { copyingDockerfile, dockerignore, downloadingDockerfile } from './dockerfile.ts';
import { checkImage, quoted } from './dockerfile-words.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const facts = {
  base: 'docker.io/library/python:3.11-slim',
  baseDigest: DIGEST,
  platform: 'linux/amd64',
  folders: ['environment', 'server', 'model'],
  run: {
    entrypoint: ['/opt/ingot/bin/ingot'],
    cmd: ['serve'],
    env: { PATH: '/opt/ingot/bin:/bin', HOME: '/tmp' },
    user: '65532:65532',
    healthcheck: {
      test: ['CMD', '/opt/ingot/bin/healthy'],
      intervalMs: 10_000,
      timeoutMs: 6000,
      startPeriodMs: 0,
      retries: 3,
    },
  },
  labels: { title: 'churn' },
} as const;

/** Instructions as a builder reads them: continued lines joined, comments left out. */
function instructions(text: string): string[] {
  return text
    .replaceAll(/\\\n/g, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

describe('a Dockerfile', () => {
  test('copies its folders onto a base that is pinned, and runs as no root', () => {
    expect(instructions(copyingDockerfile(facts))).toEqual([
      `FROM --platform=linux/amd64 docker.io/library/python:3.11-slim@${DIGEST}`,
      'COPY environment/ /',
      'COPY server/ /',
      'COPY model/ /',
      'LABEL "title"="churn"',
      'ENV HOME="/tmp"     PATH="/opt/ingot/bin:/bin"',
      'HEALTHCHECK --interval=10s --timeout=6s --start-period=0s --retries=3     CMD ["/opt/ingot/bin/healthy"]',
      'USER 65532:65532',
      'ENTRYPOINT ["/opt/ingot/bin/ingot"]',
      'CMD ["serve"]',
    ]);
  });

  test('gets the token as a secret that no layer and no shell word holds', () => {
    const text = downloadingDockerfile(facts, { reference: 'churn:7', registry: 'https://models.example.com' });
    const [run = ''] = instructions(text).filter((line) => line.startsWith('RUN'));
    expect(run).toMatch(/^RUN --mount=type=secret,id=ingot_token \[/);
    const words: unknown = JSON.parse(run.slice(run.indexOf('[')));
    expect(words).toEqual([
      '/bin/sh',
      '-c',
      expect.stringContaining('exec "$@"'),
      'sh',
      '/opt/ingot/bin/ingot',
      'bake',
      'churn:7',
      '--format',
      'files',
      '--output',
      '/baked',
      '--registry',
      'https://models.example.com',
    ]);
    expect(instructions(text).filter((line) => /^(?:ARG|ENV).*TOKEN/.test(line))).toEqual([]);
    expect(instructions(text).filter((line) => line.includes('model/ /'))).toEqual([]);
  });

  test('gets a model of a bucket with a file of variables, as root whoever the base runs as, by the same flags', () => {
    const download = { reference: 'churn:7', registry: 's3://models', words: ['--without-setup'], allowHttp: true };
    const lines = instructions(downloadingDockerfile(facts, download));
    expect(lines).toContain('USER 0');
    expect(lines).toContain('ENV INGOT_CACHE="/tmp/ingot" INGOT_ALLOW_HTTP="1"');
    const run = lines.find((line) => line.startsWith('RUN'));
    expect(run).toMatch(/^RUN --mount=type=secret,id=ingot_env \[.*"s3:\/\/models", "--without-setup"\]$/);
  });

  test('is given the folders and nothing else that lies around', () => {
    expect(dockerignore(['server', 'model'])).toBe('*\n!server/\n!model/\n');
  });
});

describe('nothing that comes from a package', () => {
  const HOSTILE = [
    'a"\nRUN rm -rf /\nLABEL x="',
    '$(id) `id` $' + '{HOME} $HOME',
    'ends with a backslash \\',
    '"; USER root',
    '\r\nUSER root',
  ];

  test.each(HOSTILE)('%j becomes an instruction or a variable', (text) => {
    const written = instructions(
      copyingDockerfile({ ...facts, labels: { title: text, [text]: 'x' }, run: { ...facts.run, env: { A: text } } }),
    );
    expect(written.map((line) => line.split(' ', 1)[0])).toEqual([
      'FROM',
      'COPY',
      'COPY',
      'COPY',
      'LABEL',
      'ENV',
      'HEALTHCHECK',
      'USER',
      'ENTRYPOINT',
      'CMD',
    ]);
    expect(quoted(text)).toMatch(/^"(?:[^"\\$]|\\["\\$])*"$/);
  });

  test('is written with control characters', () => {
    expect(() => quoted('a\u0000b')).toThrow('control characters');
    expect(() => quoted('a\u2028b')).toThrow('control characters');
  });

  test.each([
    'this machine',
    'oci:./base',
    'debian-packages:bookworm\nRUN x',
    'python:$TAG',
    '--platform=x python',
    'a b',
  ])('as %j is an image to start from', (name) => {
    expect(() => checkImage(name)).toThrow(/no image of a registry/);
  });
});
