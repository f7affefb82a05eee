import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { openRememberedStates } from './remembered.ts';

let base = '';
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-remembered-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const seen = (seq: number, state: object = { at: seq }) => ({
  fold: 1,
  seq,
  digest: digestOf(`${seq}`),
  at: 'now',
  state,
});

async function opened(directory: string, storeId = 'store-1', maxStateLength?: number) {
  const memory = openRememberedStates({ directory, ...(maxStateLength === undefined ? {} : { maxStateLength }) });
  await memory.load(storeId);
  return memory;
}

test('what one process saw, the next one remembers', async () => {
  const directory = join(base, 'kept', 'deep');
  const memory = await opened(directory);
  memory.put('names', { ...seen(7, { text: 'tab\t line\n ü' }), brief: { versions: 1 } });
  await memory.save();
  const later = (await opened(directory)).get('names');
  assert.equal(later?.seq, 7);
  assert.equal(later?.digest, digestOf('7'));
  assert.deepEqual(later?.state(), { text: 'tab\t line\n ü' });
  assert.deepEqual(later?.brief, { versions: 1 });
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(memory.location)).mode & 0o777, 0o600);
});

test('two processes that save at once keep the further position of each log', async () => {
  const directory = join(base, 'shared');
  const [one, other] = [await opened(directory), await opened(directory)];
  one.put('a', seen(5));
  one.put('b', seen(5));
  other.put('a', seen(3));
  other.put('c', seen(1));
  await one.save();
  await other.save();
  const later = await opened(directory);
  assert.deepEqual(
    ['a', 'b', 'c'].map((log) => later.get(log)?.seq),
    [5, 5, 1],
  );
});

test('another store at the same address, or a damaged file, is the same as nothing', async () => {
  const directory = join(base, 'damaged');
  const memory = await opened(directory);
  memory.put('a', seen(5));
  await memory.save();
  assert.equal((await opened(directory, 'store-2')).get('a'), undefined);
  const whole = await readFile(memory.location, 'utf8');
  for (const text of ['', 'x', whole.slice(0, -3), whole.replace('"at":5', '"at":6'), `${whole}\n`]) {
    await writeFile(memory.location, text);
    assert.equal((await opened(directory)).get('a'), undefined, JSON.stringify(text.slice(-20)));
  }
  await writeFile(memory.location, whole);
  assert.equal((await opened(directory)).get('a')?.seq, 5);
});

test('of a state that is too large the position is kept', async () => {
  const directory = join(base, 'large');
  const memory = await opened(directory, 'store-1', 100);
  memory.put('a', seen(5, { text: 'x'.repeat(200) }));
  await memory.save();
  const later = (await opened(directory)).get('a');
  assert.equal(later?.seq, 5);
  assert.equal(later?.state(), undefined);
});

test('a log that is dropped is forgotten', async () => {
  const directory = join(base, 'dropped');
  const memory = await opened(directory);
  memory.put('a', seen(5));
  await memory.save();
  memory.drop('a');
  await memory.save();
  assert.equal((await opened(directory)).get('a'), undefined);
});

test('a directory that cannot be made fails nothing', async () => {
  const file = join(base, 'file');
  await writeFile(file, '');
  await chmod(file, 0o400);
  const memory = await opened(join(file, 'below'));
  memory.put('a', seen(5));
  await memory.save();
  assert.equal((await opened(join(file, 'below'))).get('a'), undefined);
});
