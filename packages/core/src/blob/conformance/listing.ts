import assert from 'node:assert/strict';
import type { BlobStore } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';
import { compareKeys } from '../key.ts';
import { type BlobStoreCase, keysOf } from './case.ts';

const ODD_KEYS = [
  'Case',
  'case',
  'CASE',
  'über/größe.json',
  'u\u0308ber/composed-differently',
  'emoji/🦊.bin',
  'emoji/\uffee-before-the-fox',
  'ba-nana',
  'ba.nana',
  'ba/nana',
  'ba0nana',
  'space in name',
  ' leading and trailing ',
  'trailing.',
  'percent%41',
  'percent%2F',
  '.hidden',
  '.tmp/not-ours',
  '...',
  'con',
  'nul.json',
  'quote"and\'',
  'colon:star*',
  'models/churn-0123456789abcdef/log/0000000001.json',
  'packs/a/0.pack',
  'plus+sign and space',
  'plus%2Bsign',
  'query?versionId=1',
  'hash#fragment',
  'and&equals=semi;comma,',
  'bang!paren()tilde~at@dollar$caret^back`',
  'brackets[0]{1}<2>',
  'slash%2Fpercent%25',
  'x'.repeat(200),
  'हिन्दी/한국어/日本語',
  'combining/e\u0301',
  'combining/\u00e9',
];

/** Listing. */
export const LISTING_CASES: readonly BlobStoreCase[] = [
  {
    name: 'an empty storage lists nothing',
    run: async (subject) => {
      const store = await subject.open();
      assert.deepEqual(await keysOf(store, ''), []);
      assert.deepEqual(await keysOf(store, 'models/'), []);
    },
  },
  {
    name: 'odd keys stay apart, read back, and are listed in the order of their UTF-8 bytes',
    run: async (subject) => {
      const store = await subject.open();
      for (const key of ODD_KEYS) assert.equal(await store.write(key, bodyOf(`at ${key}`)), 'created', key);
      for (const key of ODD_KEYS) assert.equal((await store.stat(key))?.sizeBytes, Buffer.byteLength(`at ${key}`), key);
      for (const key of ODD_KEYS) assert.equal(String(await collect(store.read(key))), `at ${key}`);
      assert.deepEqual(await keysOf(store, ''), inByteOrder(ODD_KEYS));
    },
  },
  {
    name: 'keys with line breaks and tabs stay apart, read back and are listed',
    run: async (subject) => {
      const store = await subject.open();
      const keys = ['new\nline', 'new line', 'tab\tbed'];
      for (const key of keys) assert.equal(await store.write(key, bodyOf(`at ${key}`)), 'created', key);
      for (const key of keys) assert.equal(String(await collect(store.read(key))), `at ${key}`);
      assert.deepEqual(await keysOf(store, ''), inByteOrder(keys));
    },
  },
  {
    name: 'after continues a listing behind any key, present or not',
    run: async (subject) => {
      const store = await subject.open();
      await inBatches(store, ODD_KEYS);
      const all = inByteOrder(ODD_KEYS);
      for (const after of [
        ...all.filter((_, n) => n % 4 === 0),
        ...all.slice(-2),
        '',
        'b',
        'ba',
        'ba/',
        'ba/zzz',
        'models',
        'models/churn-0123456789abcdef/log',
        'zzz',
        '\u{10ffff}',
      ]) {
        assert.deepEqual(
          await keysOf(store, '', after),
          all.filter((key) => compareKeys(key, after) > 0),
          JSON.stringify(after),
        );
      }
    },
  },
  {
    name: 'a prefix is a prefix of characters, not of folders',
    run: async (subject) => {
      const store = await subject.open();
      for (const key of ['mo', 'models/a/1', 'models/ab/1', 'models/b/1', 'models2'])
        await store.write(key, bodyOf('x'));
      assert.deepEqual(await keysOf(store, 'models/a'), ['models/a/1', 'models/ab/1']);
      assert.deepEqual(await keysOf(store, 'models/a/'), ['models/a/1']);
      assert.deepEqual(await keysOf(store, 'mo'), ['mo', 'models/a/1', 'models/ab/1', 'models/b/1', 'models2']);
      assert.deepEqual(await keysOf(store, 'models/a', 'models/a/1'), ['models/ab/1']);
      assert.deepEqual(await keysOf(store, 'models/a/1/'), []);
      assert.deepEqual(await keysOf(store, 'none/'), []);
    },
  },
  {
    name: 'a listing of more than 1,000 keys is complete, ordered and can be continued',
    run: async (subject) => {
      const store = await subject.open();
      const keys = Array.from({ length: 1100 }, (_, n) => `log/${String(n).padStart(10, '0')}.json`);
      await inBatches(store, keys);
      assert.deepEqual(await keysOf(store, 'log/'), keys);
      assert.deepEqual(await keysOf(store, ''), keys);
      assert.deepEqual(await keysOf(store, 'log/', keys[999]), keys.slice(1000));
    },
  },
  {
    name: 'deep prefixes list, read and continue',
    run: async (subject) => {
      const store = await subject.open();
      const deep = Array.from({ length: 40 }, (_, n) => `level-${n}`).join('/');
      await store.write(`${deep}/leaf`, bodyOf('down here'));
      await store.write('level-0/other', bodyOf('up here'));
      assert.deepEqual(await keysOf(store, ''), [`${deep}/leaf`, 'level-0/other']);
      assert.deepEqual(await keysOf(store, `${deep}/`), [`${deep}/leaf`]);
      assert.deepEqual(await keysOf(store, '', `${deep}/leaf`), ['level-0/other']);
      await store.delete(`${deep}/leaf`);
      assert.deepEqual(await keysOf(store, ''), ['level-0/other']);
    },
  },
  {
    name: 'a listing tells each size and a time that does not go back',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('a', bodyOf('1'));
      await store.write('b', bodyOf('22'));
      const entries = [];
      for await (const entry of store.list('')) entries.push(entry);
      assert.deepEqual(
        entries.map(({ sizeBytes }) => sizeBytes),
        [1, 2],
      );
      for (const { key, modifiedAt } of entries) assert.deepEqual((await store.stat(key))?.modifiedAt, modifiedAt);
      assert.ok(Number(entries[0]?.modifiedAt) <= Number(entries[1]?.modifiedAt));
    },
  },
];

function inByteOrder(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function inBatches(store: BlobStore, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 50) {
    await Promise.all(keys.slice(at, at + 50).map((key) => store.write(key, bodyOf('x'))));
  }
}
