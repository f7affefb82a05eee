import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import type { ErrorCode } from '../errors.ts';
import { IngotError } from '../errors.ts';
import { parseReference } from '../ref.ts';
import { draftOf, failsWith } from './conformance/case.ts';
import { withLastKnown } from './last-known.ts';
import type { ResolvedVersion, VersionResolver } from './registry.ts';

let base = '';
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-last-known-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const reference = parseReference('churn@production');

function answer(number: number): ResolvedVersion {
  const { manifest, recipe } = draftOf(`content ${number}`);
  return { reference, model: reference.name, modelId: 'churn-1', number, manifest, recipe, seq: number };
}

/** A resolver that answers or fails as it is told. */
function told(): VersionResolver & { says: ResolvedVersion | ErrorCode } {
  return {
    says: answer(1),
    async resolve() {
      if (typeof this.says === 'string') throw new IngotError(this.says, 'as told');
      return this.says;
    },
  };
}

test('while the store is away another process answers what was last known, and since when', async () => {
  const inner = told();
  const directory = join(base, 'away');
  const clock = () => new Date('2026-01-02T03:04:05.000Z');
  await withLastKnown(inner, { directory, clock }).resolve(reference);
  for (const code of ['unavailable', 'store-not-found', 'timeout'] as const) {
    inner.says = code;
    const known = await withLastKnown(inner, { directory, clock }).resolve(reference);
    assert.deepEqual(known, { ...answer(1), staleSince: '2026-01-02T03:04:05.000Z' });
  }
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
});

test('a healthy store that has no such model is believed, and then nothing is known any more', async () => {
  const inner = told();
  const resolver = withLastKnown(inner, { directory: join(base, 'gone') });
  await resolver.resolve(reference);
  inner.says = 'model-not-found';
  await failsWith('model-not-found', () => resolver.resolve(reference));
  inner.says = 'unavailable';
  await failsWith('unavailable', () => resolver.resolve(reference));
});

test('a store that was tampered with is not papered over', async () => {
  const inner = told();
  const resolver = withLastKnown(inner, { directory: join(base, 'tampered') });
  await resolver.resolve(reference);
  inner.says = 'tampered';
  await failsWith('tampered', () => resolver.resolve(reference));
});

test('the last answer counts, not the first, and each address has its own', async () => {
  const inner = told();
  const directory = join(base, 'moved');
  const resolver = withLastKnown(inner, { directory, address: 'a' });
  await resolver.resolve(reference);
  inner.says = answer(2);
  await resolver.resolve(reference);
  inner.says = 'unavailable';
  assert.equal((await withLastKnown(inner, { directory, address: 'a' }).resolve(reference)).number, 2);
  await failsWith('unavailable', () => withLastKnown(inner, { directory, address: 'b' }).resolve(reference));
});

test('a directory that cannot be written fails no resolution', async () => {
  const file = join(base, 'a-file');
  await writeFile(file, '');
  assert.equal((await withLastKnown(told(), { directory: join(file, 'x') }).resolve(reference)).number, 1);
});
