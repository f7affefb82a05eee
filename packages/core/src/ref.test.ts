import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { digestOf } from './digest.ts';
import { IngotError } from './errors.ts';
import { formatReference, parseAlias, parseLabel, parseModelName, parseReference, toModelName } from './ref.ts';

const RTL = '\u202e';

function failure(run: () => unknown): IngotError {
  try {
    run();
  } catch (error) {
    if (error instanceof IngotError) return error;
    throw error;
  }
  return assert.fail('nothing failed');
}

const segment = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}[a-zA-Z0-9]$/);
const name = fc
  .oneof(
    segment,
    fc.tuple(segment, segment).map(([a, b]) => `${a}/${b}`),
  )
  .filter((text) => !/(^|\/)(con|prn|aux|nul|com[0-9]|lpt[0-9])$/i.test(text));
const digest = fc.string().map((text) => digestOf(text));
const alias = fc.stringMatching(/^[a-z][a-z_.-]{0,20}[a-z]$/).filter((text) => text !== 'latest');

/** Any character, halves of pairs too; fast-check's own list of them takes a second to make. */
const anyCharacter = fc.nat(0x10ffff).map((code) => String.fromCodePoint(code));

describe('model names', () => {
  test('are letters, digits, ".", "_" and "-" with at most one namespace', () => {
    for (const good of ['churn', 'team/churn', 'Churn_2.0-rc1', '7', 'a']) assert.equal(parseModelName(good), good);
  });

  test('that could leave their place, deceive a reader or break a file system are refused', () => {
    const bad = [
      '',
      ' ',
      '.',
      '..',
      '/',
      '/churn',
      'churn/',
      'a//b',
      'a/b/c',
      '../churn',
      'a/../b',
      'team/..',
      'a..b',
      '.hidden',
      '-x',
      'x-',
      'churn ',
      'ch urn',
      'churn\n',
      'chu\u0000rn',
      'a\\b',
      'a:b',
      'a@b',
      'a%2fb',
      'NUL',
      'con.txt',
      'team/aux',
      `churn${RTL}txt`,
      'сhurn',
      'chürn',
      'ｃhurn',
      '\u200bchurn',
      'x'.repeat(201),
      'x'.repeat(10_000),
    ];
    for (const text of bad)
      assert.equal(failure(() => parseModelName(text)).code, 'invalid-name', JSON.stringify(text));
  });

  test('that are refused come back with a name that works, where one is near', () => {
    const near: [string, string | undefined][] = [
      ['Example Model', 'example-model'],
      ['team/My Model', 'team/my-model'],
      ['Prédiction', 'prediction'],
      ['Pre\u0301diction', 'prediction'],
      ['a/../b', undefined],
      ['../etc/passwd', undefined],
      [`churn${RTL}`, 'churn'],
      ['con', undefined],
      ['日本', undefined],
    ];
    for (const [text, wanted] of near) assert.equal(failure(() => parseModelName(text)).nearest, wanted, text);
  });

  test('however long or strange give a short message without control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 400 }), (text) => {
        try {
          parseModelName(text);
        } catch (error) {
          assert.ok(error instanceof IngotError);
          assert.ok(error.message.length < 700, `${error.message.length}`);
          assert.doesNotMatch(error.message, /[\p{Cc}\p{Cf}\p{Cs}]/u);
        }
      }),
      { examples: [['y'.repeat(10_000)]] },
    );
  });

  test('a suggestion is always a name itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        try {
          parseModelName(text);
        } catch (error) {
          if (error instanceof IngotError && error.nearest !== undefined)
            assert.equal(parseModelName(error.nearest), error.nearest);
        }
      }),
    );
  });
});

describe('display names', () => {
  test('become model names; model names stay as they are', () => {
    assert.equal(toModelName('Example Model'), 'example-model');
    assert.equal(toModelName('Team A/Example Model (v2)'), 'team-a/example-model-v2');
    assert.equal(toModelName('Yes / No / Maybe'), 'yes-no-maybe');
    assert.equal(toModelName('Churn_2'), 'Churn_2');
    fc.assert(fc.property(name, (text) => assert.equal(toModelName(text), text)));
  });

  test('composed and decomposed letters become the same name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const read = (form: string) => {
          try {
            return toModelName(`m ${form}`);
          } catch (error) {
            return error instanceof IngotError ? error.code : error;
          }
        };
        assert.equal(read(text.normalize('NFC')), read(text.normalize('NFD')));
      }),
    );
  });

  test('of which nothing can be kept are refused', () => {
    assert.equal(failure(() => toModelName('日本語')).code, 'invalid-name');
    assert.equal(failure(() => toModelName('../..')).code, 'invalid-name');
  });
});

describe('references', () => {
  test('are read in all their forms', () => {
    const d = digestOf('x');
    assert.deepEqual(parseReference('churn').selector, { kind: 'latest' });
    assert.deepEqual(parseReference('churn:latest').selector, { kind: 'latest' });
    assert.deepEqual(parseReference('churn:7').selector, { kind: 'version', number: 7 });
    assert.deepEqual(parseReference('churn:v7').selector, { kind: 'label', label: 'v7' });
    assert.deepEqual(parseReference('churn:1.0').selector, { kind: 'label', label: '1.0' });
    assert.deepEqual(parseReference('churn:1.10').selector, { kind: 'label', label: '1.10' });
    assert.deepEqual(parseReference('churn:2024-01-01+build.5').selector, {
      kind: 'label',
      label: '2024-01-01+build.5',
    });
    assert.deepEqual(parseReference('team/churn@production'), {
      name: 'team/churn',
      selector: { kind: 'alias', alias: 'production' },
    });
    assert.deepEqual(parseReference(`churn@${d}`).selector, { kind: 'digest', digest: d });
  });

  test('are written as they are read', () => {
    const selector = fc.oneof(
      fc.constant({ kind: 'latest' as const }),
      fc.integer({ min: 1 }).map((number) => ({ kind: 'version' as const, number })),
      alias.map((text) => ({ kind: 'alias' as const, alias: text })),
      alias.map((text) => ({ kind: 'label' as const, label: `${text}1.0` })),
      digest.map((text) => ({ kind: 'digest' as const, digest: text })),
    );
    fc.assert(
      fc.property(name, selector, (text, chosen) => {
        const reference = { name: parseModelName(text), selector: chosen };
        assert.deepEqual(parseReference(formatReference(reference)), reference);
      }),
    );
  });

  test('that mean nothing are refused with what is wrong', () => {
    for (const text of ['churn:', 'churn@', 'churn:0', 'churn:99999999999999999999', 'churn@sha256:abc'])
      assert.equal(failure(() => parseReference(text)).code, 'invalid-reference', text);
    for (const text of [
      '',
      ':7',
      '@production',
      'churn@7',
      'churn@a/b',
      'churn:a b',
      'churn@__proto__',
      `churn@x${RTL}`,
      'churn:-1',
      'churn@a@b',
    ])
      assert.equal(failure(() => parseReference(text)).code, 'invalid-name', text);
  });

  test('any text at all gives a reference or an error of the two codes', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 300 }), (text) => {
        try {
          parseReference(text);
        } catch (error) {
          assert.ok(error instanceof IngotError && ['invalid-name', 'invalid-reference'].includes(error.code));
        }
      }),
    );
  });
});

describe('aliases and labels', () => {
  test('an alias is not "latest", not a number and not something every object has', () => {
    for (const text of ['latest', 'LATEST', '7', 'v7', '', '-x', 'a b', '__proto__', 'é', 'x'.repeat(101)])
      assert.equal(failure(() => parseAlias(text)).code, 'invalid-name', text);
    for (const text of ['production', 'eu-west.1', '_x', 'v7a']) assert.equal(parseAlias(text), text);
  });

  test('a label keeps its text and is never a whole number', () => {
    for (const text of ['1.0', '1.10', 'v7', '2.0.0-rc.1+5', 'winter']) assert.equal(parseLabel(text), text);
    for (const text of ['7', '007', 'latest', '', '1 0', '../1', 'x'.repeat(101)])
      assert.equal(failure(() => parseLabel(text)).code, 'invalid-name', text);
  });
});
