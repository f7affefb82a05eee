import { expect, test } from 'vitest';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { createStore } from '../content/store-format.ts';
import type { JsonObject } from '../json.ts';
import { parseModelName } from '../ref.ts';
import { encodeLog, parseLog, readDocuments } from './log-documents.ts';
import { openLogRegistry } from './open.ts';

const CHURN = parseModelName('churn');

async function threeEvents() {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'ana@laptop' });
  const { id } = await registry.ensureModel(CHURN);
  for (const description of ['one', 'two', 'three']) await registry.updateModel(CHURN, { description });
  const documents: JsonObject[] = [];
  for await (const document of registry.log(CHURN)) documents.push(document);
  return { blobs, id, documents };
}

test('what was encoded has the bytes of the files, one after another', async () => {
  const { blobs, id, documents } = await threeEvents();
  const files = [];
  for await (const { key } of blobs.list(`models/${id}/log/`))
    for await (const piece of blobs.read(key)) files.push(piece);
  expect(encodeLog(documents)).toEqual(Buffer.concat(files));
  expect(parseLog(encodeLog(documents), 'it').map(({ body }) => body?.description)).toEqual(['one', 'two', 'three']);
});

test('an event that is missing, changed, doubled, moved or cut is found', async () => {
  const { blobs, id, documents } = await threeEvents();
  const [one = {}, two = {}, three = {}] = documents;
  const other = JSON.parse(JSON.stringify(two).replace('"two"', '"too"'));
  const { sum: _, ...unsummed } = other;
  for (const wrong of [
    [one, three],
    [one, other, three],
    [one, unsummed, three],
    [one, one, two],
    [two, one, three],
  ])
    expect(() => parseLog(encodeLog(wrong), 'it')).toThrow(expect.objectContaining({ code: 'tampered' }));
  const whole = encodeLog(documents);
  expect(() => parseLog(whole.subarray(0, -1), 'it')).toThrow(/ends within an event/);
  // Each event is sound by itself, and the third is of another log.
  const elsewhere = await threeEvents();
  expect(() => parseLog(encodeLog([one, two, elsewhere.documents[2] ?? {}]), 'it')).toThrow(/does not follow/);
  await blobs.delete(`models/${id}/log/0000000002.json`);
  const read = async (): Promise<void> => {
    for await (const _ of readDocuments(blobs, `models/${id}`, { from: 1, to: 3 }, {}));
  };
  await expect(read()).rejects.toMatchObject({ code: 'tampered' });
});
