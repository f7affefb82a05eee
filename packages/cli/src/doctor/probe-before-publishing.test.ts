import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { observed } from '@ingot/core/blob/layers/observed';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { probeBeforePublishing } from './probe-before-publishing.ts';
import { distrust, isTrusted, trust } from './trusted-stores.ts';

const directory = mkdtempSync(join(tmpdir(), 'ingot-probe-'));
afterAll(() => rmSync(directory, { recursive: true }));

const DAY_MS = 24 * 3_600_000;
let remembered = '';
let stores = 0;
beforeEach(() => {
  stores += 1;
  remembered = join(directory, String(stores));
});

/** A storage that counts its calls, and a push to it at a time. */
function storage(blobs: BlobStore = createMemoryBlobStore()) {
  let calls = 0;
  const counted = observed(blobs, {
    before: () => {
      calls += 1;
    },
  });
  const push = async (atMs = 0): Promise<number> => {
    calls = 0;
    const signal = new AbortController().signal;
    const another = async (): Promise<BlobStore> => counted;
    await probeBeforePublishing(counted, { remembered, now: () => new Date(atMs), signal, another });
    return calls;
  };
  return { push };
}

describe('probeBeforePublishing', () => {
  it('asks the storage once, and again when 30 days have passed', async () => {
    const { push } = storage();
    const first = await push();
    expect(first).toBeGreaterThan(10);
    expect(first).toBeLessThan(30);
    expect(await push(29 * DAY_MS)).toBe(0);
    expect(await push(31 * DAY_MS)).toBe(first);
  });

  it('refuses a storage that overwrites, each time', async () => {
    const held = createMemoryBlobStore();
    const overwriting: BlobStore = {
      ...held,
      write: async (key, body) => {
        await held.delete(key);
        return held.write(key, body);
      },
    };
    const { push } = storage(overwriting);
    await expect(push()).rejects.toMatchObject({ code: 'refused' });
    await expect(push()).rejects.toMatchObject({ code: 'refused' });
    expect(await isTrusted(remembered, new Date(0))).toBe(false);
  });

  it('refuses a read-only storage without asking it, and leaves a directory to doctor', async () => {
    const held = createMemoryBlobStore();
    const readOnly = storage({ ...held, capabilities: { ...held.capabilities, readOnly: true } });
    await expect(readOnly.push()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('read-only'),
    });
    const directoryStore = storage({ ...held, capabilities: { ...held.capabilities, localFiles: true } });
    expect(await directoryStore.push()).toBe(0);
    const share = storage({
      ...held,
      capabilities: { ...held.capabilities, localFiles: true, createIfAbsent: 'unverified' },
    });
    expect(await share.push()).toBeGreaterThan(10);
  });
});

describe('a trusted store', () => {
  it('is no longer one when it is distrusted, its record is damaged or comes from the future', async () => {
    await trust(remembered, new Date(DAY_MS));
    expect(await isTrusted(remembered, new Date(2 * DAY_MS))).toBe(true);
    expect(await isTrusted(remembered, new Date(0))).toBe(false);
    await distrust(remembered);
    expect(await isTrusted(remembered, new Date(2 * DAY_MS))).toBe(false);
    await trust(remembered, new Date(DAY_MS));
    writeFileSync(join(remembered, 'probe.json'), '{"format":1,');
    expect(await isTrusted(remembered, new Date(2 * DAY_MS))).toBe(false);
  });

  it('is probed again where the cache cannot be written', async () => {
    writeFileSync(join(directory, 'file'), '');
    await trust(join(directory, 'file', 'x'), new Date(0));
    expect(await isTrusted(join(directory, 'file', 'x'), new Date(0))).toBe(false);
  });
});
