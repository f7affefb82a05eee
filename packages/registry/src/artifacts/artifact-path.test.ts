import { isIngotError } from '@ingot/core/errors';
import { randomOf } from '@ingot/core/seeded-random';
import { describe, expect, it } from 'vitest';
import { ArtifactPath } from './artifact-path.ts';

const HOSTILE = [
  '..',
  '../x',
  'a/../../etc/passwd',
  '/etc/passwd',
  '//proc/self/root',
  'a//b',
  './a',
  'a/.',
  'C:/x',
  'C:',
  'a\\b',
  '..\\x',
  'a\0b',
  'a#b',
  'a\nb',
  '%2e%2e/x',
  '%252e%252e%252fx',
  '..%2fx',
  '..%5cx',
  '%2fetc',
  'a/%00',
  '．．/x',
  'a／b',
  '',
  '/',
  '\ud800',
  '%25252525252e',
];

describe('a path of artifacts', () => {
  it.each(HOSTILE)('is never %j', (text) => {
    expect(() => ArtifactPath.parse(text)).toThrow('Invalid path');
  });

  it.each(['..%2fx', '%2e%2e/x', '%252e%252e%252fx', '%c0%ae%c0%ae/x', '%', 'a%2fb', '/x', 'a//b', '..%5c..', '%00'])(
    'is never %j in an address',
    (text) => expect(() => ArtifactPath.fromUrl(text)).toThrow('Invalid path'),
  );

  it.each(['0/5f/artifacts/model.pkl', 'a/100%.txt', 'Ünïcode/模型 1.bin', 'a/...', 'a/b.tar.gz', 'a/x:y', 'a/~'])(
    'may be %j',
    (text) => {
      expect(ArtifactPath.parse(text).text).toBe(text);
      expect(ArtifactPath.fromUrl(text.split('/').map(encodeURIComponent).join('/')).text).toBe(text);
    },
  );

  it('knows what is above it and what is within it', () => {
    const path = ArtifactPath.parse('0/run/artifacts/a/b.txt');
    expect(path.above).toEqual(['0', '0/run', '0/run/artifacts', '0/run/artifacts/a']);
    expect(path.isWithin(ArtifactPath.parse('0/run'))).toBe(true);
    expect(path.isWithin(ArtifactPath.parse('0/ru'))).toBe(false);
  });

  it('holds only names that stay below where they are put, whatever 10,000 generated texts say', () => {
    const random = randomOf(20261121);
    const alphabet = [
      'a',
      'b',
      '.',
      '..',
      '/',
      '//',
      '\\',
      '%',
      '2e',
      '%2e',
      '%2f',
      '%5c',
      '%25',
      '%00',
      '\0',
      '#',
      'C:',
      '．',
      '／',
      ' ',
      '~',
      'é',
      '\u202e',
      ';',
      '?',
    ];
    const pick = (): string => alphabet[Math.floor(random() * alphabet.length)] ?? '';
    const escapes = (path: ArtifactPath): boolean => {
      let text = path.text;
      for (let layer = 0; layer < 6; layer += 1) {
        const names = text.normalize('NFKC').split(/[/\\]/);
        if (names.length !== path.segments.length || names.some((name) => ['', '.', '..'].includes(name))) return true;
        if (text.includes('\0') || text.includes('#')) return true;
        try {
          text = decodeURIComponent(text);
        } catch {
          return false;
        }
      }
      return false;
    };
    const escaped: string[] = [];
    let taken = 0;
    for (let n = 0; n < 10_000; n += 1) {
      const text = Array.from({ length: 1 + Math.floor(random() * 8) }, pick).join('');
      for (const read of [ArtifactPath.parse, ArtifactPath.fromUrl]) {
        try {
          const path = read(text);
          taken += 1;
          if (escapes(path)) escaped.push(text);
        } catch (error) {
          if (!isIngotError(error, 'invalid-request')) throw error;
        }
      }
    }
    expect(escaped).toEqual([]);
    expect(taken).toBeGreaterThan(500);
  });
});
