import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { bodyOf } from '../blob/bytes.ts';
import { digestOf } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import { noise } from './conformance.ts';
import type { RecipeRef } from './content-store.ts';
import { packOf, parsePackFooter } from './pack.ts';
import { encodePage, encodeRecipe, endsPage, parsePage, parseRecipe, type Piece } from './recipe.ts';

const piece = (n: number): Piece => ({
  digest: digestOf(`piece ${n}`),
  pack: `up${n % 3}/${n % 5}`,
  offset: n * 10,
  length: n + 1,
});
const ref: RecipeRef = { digest: digestOf('r'), pack: 'u/0', offset: 0, length: 1 };

describe('pages', () => {
  test('read back what was written', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100_000), { minLength: 1, maxLength: 50 }), (numbers) => {
        const pieces = numbers.map(piece);
        assert.deepEqual(parsePage(encodePage(pieces), 'page'), pieces);
      }),
    );
  });

  test('say of coded pieces how they are coded and how long they are', () => {
    const pieces = [piece(1), { ...piece(2), coding: 'planes4-deflate', sizeBytes: 70_000 }, piece(3)];
    const bytes = encodePage(pieces);
    assert.deepEqual(parsePage(bytes, 'page'), pieces);
    assert.deepEqual(
      JSON.parse(String(bytes)).pieces.map((row: unknown[]) => row.slice(4)),
      [[], ['planes4-deflate', 70_000], []],
    );
  });

  test('end past 64 pieces behind about every 64th, by its digest alone, and never have more than 1,024', () => {
    const pieces = Array.from({ length: 20_000 }, (_, n) => piece(n));
    const ends = pieces.filter((each) => endsPage(each, 65));
    assert.ok(ends.length > 220 && ends.length < 410, `${ends.length} pages`);
    assert.ok(!pieces.some((each) => endsPage(each, 64)));
    const other = pieces.find((each) => !endsPage(each, 65));
    assert.ok(other && !endsPage(other, 1023) && endsPage(other, 1024));
  });

  test('that were meddled with are integrity', () => {
    const good: Record<string, unknown> = JSON.parse(String(encodePage([piece(1)])));
    const row = [digestOf('x'), 0, 0, 1];
    const bad = [
      { ...good, pieces: [[...row.slice(0, 1), 7, 0, 1]] },
      { ...good, pieces: [[...row.slice(0, 3), -1]] },
      { ...good, pieces: [[...row.slice(0, 3), 0]] },
      { ...good, pieces: [['sha256:no', 0, 0, 1]] },
      { ...good, pieces: ['row'] },
      { ...good, pieces: [[...row, 'planes4-deflate']] },
      { ...good, pieces: [[...row, 'planes4-deflate', 0]] },
      { ...good, pieces: [[...row, 7, 100]] },
      { ...good, pieces: [row], packs: ['../../etc/0'] },
      { ...good, pieces: [row], packs: ['__proto__'] },
      [],
    ];
    for (const page of bad) {
      assert.throws(
        () => parsePage(Buffer.from(JSON.stringify(page)), 'page'),
        (error) => isIngotError(error, 'integrity'),
        JSON.stringify(page),
      );
    }
  });
});

describe('recipes', () => {
  const content = { role: 'file' as const, path: 'a/b', digest: digestOf('x'), sizeBytes: 1, chunks: 1 };
  const page = { digest: digestOf('p'), pack: 'u/0', offset: 1, length: 2, pieces: 1 };
  const recipe = { contents: [content], pages: [page], packs: ['u/0'] };

  test('read back what was written', () => {
    assert.deepEqual(parseRecipe(encodeRecipe(recipe), ref), { ref, ...recipe });
  });

  test('with a path outside the package, or that do not add up, are integrity', () => {
    const paths = ['/etc/passwd', '../x', 'a/../../x', '', 'a//b', 'a\\b', './a', 'a/', 'a\0b'];
    const bad = [
      ...paths.map((path) => ({ ...recipe, contents: [{ ...content, path }] })),
      { ...recipe, contents: [{ ...content, chunks: 2 }] },
      { ...recipe, contents: [{ ...content, sizeBytes: 0 }] },
      { ...recipe, pages: [] },
      { ...recipe, packs: ['/'] },
    ];
    for (const one of bad) {
      assert.throws(
        () => parseRecipe(encodeRecipe(one), ref),
        (error) => isIngotError(error, 'integrity'),
        JSON.stringify(one),
      );
    }
  });

  test('of many pieces to a content read back, and are checked as a whole', async () => {
    const bytes = noise(2_000_000, 9);
    const cuts = Array.from({ length: 40 }, (_, n) => bytes.subarray(n * 50_000, (n + 1) * 50_000));
    const pieces = cuts.map((cut, n) => ({
      digest: digestOf(cut),
      pack: `u/${n % 2}`,
      offset: Math.floor(n / 2) * 50_000,
      length: 50_000,
    }));
    const swapped = [...pieces.slice(1, 2), ...pieces.slice(0, 1), ...pieces.slice(2)];
    for (const [order, good] of [
      [pieces, true],
      [swapped, false],
    ] as const) {
      const blobs = createMemoryBlobStore();
      for (const half of [0, 1]) {
        const entries = cuts
          .filter((_, n) => n % 2 === half)
          .map((cut) => ({ digest: digestOf(cut), length: cut.byteLength, open: () => bodyOf(cut).open() }));
        await blobs.write(`packs/u/${half}.pack`, packOf(entries));
      }
      const pages = [order.slice(0, 17), order.slice(17)].map(encodePage);
      const whole = encodeRecipe({
        contents: [{ ...content, digest: digestOf(bytes), sizeBytes: bytes.byteLength, chunks: 40 }],
        pages: pages.map((encoded, n) => ({
          digest: digestOf(encoded),
          pack: `u/${n + 2}`,
          offset: 0,
          length: encoded.byteLength,
          pieces: n === 0 ? 17 : 23,
        })),
        packs: ['u/0', 'u/1', 'u/2', 'u/3'],
      });
      for (const [n, encoded] of [...pages, whole].entries())
        await blobs.write(`packs/u/${n + 2}.pack`, bodyOf(encoded));
      const store = createBlobContentStore(blobs);
      const opened = await store.openRecipe({
        digest: digestOf(whole),
        pack: 'u/4',
        offset: 0,
        length: whole.byteLength,
      });
      const reading = collect(store.read(opened, digestOf(bytes)));
      if (good) assert.ok((await reading).equals(bytes));
      else await assert.rejects(reading, (error) => isIngotError(error, 'integrity'));
    }
  });
});

describe('packs', () => {
  test('list their entries one after another, and refuse a footer that does not', () => {
    const entry = { digest: digestOf('a'), offset: 0, length: 1 };
    const footer = (entries: unknown) => Buffer.from(JSON.stringify({ format: 1, entries }));
    assert.deepEqual(parsePackFooter(footer([entry, { ...entry, offset: 1 }]), 'u/0', 2), [
      entry,
      { ...entry, offset: 1 },
    ]);
    for (const entries of [[{ ...entry, offset: 1 }], [entry, entry], [entry], [{ ...entry, length: 3 }]]) {
      assert.throws(
        () => parsePackFooter(footer(entries), 'u/0', 2),
        (error) => isIngotError(error, 'integrity'),
      );
    }
  });
});
