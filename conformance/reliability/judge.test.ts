import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { bodyOf, collect } from '@ingot/core/blob/bytes';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { push } from '@ingot/core/push';
import { openLogRegistry } from '@ingot/core/registry/open';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fingerprint, judge, type Ledger, NOTHING, observe } from './judge.ts';

let directory = '';
let blobs: BlobStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ingot-judge-'));
  writeFileSync(join(directory, 'model.bin'), 'weights');
  blobs = createMemoryBlobStore();
  await createStore(blobs);
  await using registry = openLogRegistry({ blobs, actor: 'test' });
  await push(directory, { registry, contents: createBlobContentStore(blobs), name: 'm', aliases: ['production'] });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const WHOLE: Ledger = {
  versions: new Map([['m:1', fingerprint({ 'model.bin': Buffer.from('weights') })]]),
  aliases: new Map([['m@production', 1]]),
};

async function keyOf(part: string): Promise<string> {
  for await (const { key } of blobs.list('')) if (key.includes(part)) return key;
  throw new Error(`there is no ${part}`);
}

describe('a judge', () => {
  it('has nothing to say of a store that is as it should be, or as it was', async () => {
    expect((await judge(blobs, { before: NOTHING, after: WHOLE, acknowledged: true })).failures).toEqual([]);
    expect((await judge(blobs, { before: WHOLE, after: WHOLE, acknowledged: false })).failures).toEqual([]);
    const empty = createMemoryBlobStore();
    expect((await judge(empty, { before: NOTHING, after: WHOLE, acknowledged: false })).failures).toEqual([]);
  });

  it('sees that what was acknowledged is lost', async () => {
    await blobs.delete(await keyOf('log/0000000002'));
    const { failures } = await judge(blobs, { before: WHOLE, after: WHOLE, acknowledged: false });
    expect(failures).toEqual([expect.stringMatching(/^m@production is nothing/)]);
  });

  it('sees a version whose contents are gone, or are others', async () => {
    const key = await keyOf('.pack');
    const bytes = Buffer.from(await collect(blobs.read(key)));
    await blobs.delete(key);
    expect((await observe(blobs)).failures).toContainEqual(expect.stringMatching(/m:1 is listed and cannot be had/));
    bytes[2] = (bytes[2] ?? 0) ^ 1;
    await blobs.write(key, bodyOf(bytes));
    expect((await observe(blobs)).failures).toContainEqual(expect.stringMatching(/^check: packs/));
    expect((await observe(blobs)).failures).toContainEqual(expect.stringMatching(/m:1 is listed and cannot be had/));
  });

  it('sees a version that nobody pushed', async () => {
    const { failures } = await judge(blobs, { before: NOTHING, after: NOTHING, acknowledged: false });
    expect(failures).toEqual([expect.stringMatching(/^m:1 is/), expect.stringMatching(/^m@production is 1/)]);
  });
});
