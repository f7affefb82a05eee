import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';
import { digestOf, digestOfHex } from '../digest.ts';
import { canonicalJson } from '../json.ts';
import { parseManifest } from '../package/manifest-read.ts';
import { parseEvent, type StoredEvent } from '../registry/events.ts';
import { slimEvent } from '../registry/fold.ts';
import { modelFold } from '../registry/model-fold.ts';
import { namesFold } from '../registry/names-fold.ts';
import { parseRun } from '../registry/run.ts';
import { parsePublished } from '../registry/version-body.ts';
import { chunkerJson } from './chunker.ts';
import { GEAR } from './chunker-gear.ts';
import { decodePiece, isCoding } from './coding.ts';
import { parsePackFooter } from './pack.ts';
import { endsPage, parsePage, parseRecipe } from './recipe.ts';
import { parseCondemnedList, parseUploadRoot } from './roots.ts';
import { parseStoreFormat } from './store-format.ts';
import { parseMoved, relocated } from './sweep/moved.ts';

const PAGE = readFileSync(new URL('../../../../docs/format.md', import.meta.url), 'utf8');
const BLOCKS = [...PAGE.matchAll(/^```json ([\w.-]+)\n(.*?)^```$/gms)].map(([, name = '', text = '']) => ({
  name,
  text,
}));

function blocks(name: string): Buffer[] {
  const found = BLOCKS.filter((block) => block.name === name).map(({ text }) => Buffer.from(text));
  assert.ok(found.length > 0, `the page has no ${name}`);
  return found;
}

function block(name: string): Buffer {
  const [only, another] = blocks(name);
  assert.ok(only && !another, `the page has several ${name}`);
  return only;
}

/** The bytes as the store has them: the page only lays them out for people. */
function stored(name: string): Buffer {
  return Buffer.from(canonicalJson(JSON.parse(String(block(name)))));
}

function modelEvents(): StoredEvent[] {
  return blocks('model-event').map((bytes, index) => parseEvent(bytes, `event ${index + 1}`, index + 1));
}

function published() {
  const body = modelEvents()[0]?.body;
  assert.ok(body);
  return parsePublished(body, 'event 1');
}

describe('docs/format.md', () => {
  test('has no JSON block that no test knows', () => {
    const known = [
      'ingot.json',
      'pack-footer',
      'page',
      'recipe',
      'coded-chunk',
      'manifest',
      'upload-root',
      'condemned-list',
      'moved',
      'names-event',
      'model-event',
      'head',
    ];
    assert.deepEqual(new Set(BLOCKS.map(({ name }) => name)), new Set(known));
    assert.equal(PAGE.match(/^```json/gm)?.length, BLOCKS.length);
  });

  test('shows an ingot.json that opens', () => {
    assert.equal(parseStoreFormat(block('ingot.json'), 'the page').format, 1);
  });

  test('shows a footer that lists everything in the pack, and its pages and recipe at their places', () => {
    const { recipe: ref } = published();
    const footer = parsePackFooter(block('pack-footer'), ref.pack, ref.offset + ref.length);
    const recipe = parseRecipe(stored('recipe'), ref);
    const listed = new Set(footer.map((entry) => canonicalJson(entry)));
    for (const { digest, offset, length } of [ref, ...recipe.pages, ...parsePage(stored('page'), 'page')]) {
      assert.ok(listed.has(canonicalJson({ digest, offset, length })), digest);
    }
    assert.equal(footer.length, recipe.contents.length + recipe.pages.length + 1);
  });

  test('shows the recipe that the event names, and its first page', () => {
    const { recipe: ref } = published();
    assert.equal(digestOf(stored('recipe')), ref.digest);
    assert.equal(stored('recipe').byteLength, ref.length);
    const recipe = parseRecipe(stored('recipe'), ref);
    assert.equal(digestOf(stored('page')), recipe.pages[0]?.digest);
    const pieces = parsePage(stored('page'), 'page').map(({ digest, length }) => ({ digest, length }));
    const files = recipe.contents
      .slice(0, pieces.length)
      .map(({ digest, sizeBytes }) => ({ digest, length: sizeBytes }));
    assert.deepEqual(pieces, files);
  });

  test('shows the manifest that the event names, with the files that the recipe has', () => {
    const { manifest, recipe: ref } = published();
    const described = parseManifest(stored('manifest'), { expected: manifest });
    const files = parseRecipe(stored('recipe'), ref).contents.filter(({ role }) => role === 'file');
    assert.deepEqual(
      described.files.map(({ path, digest }) => ({ path, digest })),
      files.map(({ path, digest }) => ({ path, digest })),
    );
  });

  test('shows a root and a condemned list that name packs of the recipe', () => {
    const { packs } = parseRecipe(stored('recipe'), published().recipe);
    assert.deepEqual(parseUploadRoot(block('upload-root'), 'root').packs, packs);
    assert.deepEqual(parseCondemnedList(block('condemned-list'), 'list').packs, packs);
  });

  test('shows a moved file that leads to the first two entries of the pack and to its recipe', () => {
    const { recipe } = published();
    const moved = parseMoved(block('moved'), 'moved');
    assert.equal(relocated(moved, { offset: 18, length: 5 })?.offset, 18);
    assert.equal(relocated(moved, recipe)?.offset, 23);
    assert.equal(relocated(moved, { offset: 23, length: 5 }), undefined);
  });

  test('says where new stores cut contents, and names the gear table that they use', () => {
    assert.deepEqual(parseStoreFormat(block('ingot.json'), 'the page').chunker, chunkerJson());
    assert.equal(GEAR[7], createHash('sha256').update('ingot-gear-1/7').digest().readUInt32BE(0));
    assert.match(PAGE, /of the\nSHA-256 of the text `ingot-gear-1\/` followed by `b` in decimal/);
  });

  test('shows a row of a coded piece, and bytes of its coding that decode', () => {
    const row: unknown = JSON.parse(String(block('coded-chunk')));
    const [piece] = parsePage(Buffer.from(JSON.stringify({ format: 1, packs: ['a/0'], pieces: [row] })), 'page');
    assert.ok(piece?.coding !== undefined && isCoding(piece.coding));
    assert.deepEqual([piece.length, piece.sizeBytes], [55000, 65536]);
    const hex = /^```hex coded\n(.*?)^```$/ms.exec(PAGE)?.[1]?.replace(/\s/g, '') ?? '';
    const decoded = decodePiece(piece.coding, Buffer.from(hex, 'hex'), 10);
    assert.deepEqual([...decoded], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('says when pages end', () => {
    const ends = (last: string, pieces: number) =>
      endsPage({ digest: digestOfHex(`${'5'.repeat(62)}${last}`), pack: 'a/0', offset: 0, length: 1 }, pieces);
    assert.match(PAGE, /its 65th at the earliest, whose digest ends with six zero bits; after 1,024 chunks/);
    assert.deepEqual([ends('40', 64), ends('40', 65), ends('41', 1023), ends('41', 1024)], [false, true, false, true]);
  });

  test('shows a names log that names the model of the root', () => {
    const event = parseEvent(block('names-event'), 'names', 1);
    const { models } = namesFold.apply(namesFold.initial, [slimEvent(namesFold, event)], () => 'names');
    assert.deepEqual(models.get('churn')?.id, parseUploadRoot(block('upload-root'), 'root').modelId);
  });

  test('shows a chained model log that folds to version 1 in production', () => {
    const events = modelEvents();
    assert.equal(events[1]?.head.previous, events[0]?.digest);
    const slims = events.map((event) => slimEvent(modelFold, event));
    const state = modelFold.apply(modelFold.initial, slims, () => 'log');
    assert.deepEqual(
      state.versions.map((version) => version?.label),
      ['1.0'],
    );
    assert.deepEqual(
      state.aliases.map(({ alias, number }) => ({ alias, number })),
      [{ alias: 'production', number: 1 }],
    );
  });

  test('shows a head that is what this release would write of that log', () => {
    const events = modelEvents();
    const run = parseRun(block('head'), 'head');
    assert.equal(run.digest, events.at(-1)?.digest);
    assert.equal(run.fold, modelFold.version);
    assert.deepEqual(
      run.events,
      events.map((event) => slimEvent(modelFold, event)),
    );
  });
});
