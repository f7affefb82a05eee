import { describe, expect, it } from 'vitest';
import { IngotError } from '../errors.ts';
import type { BlobEntry, BlobStore } from './blob-store.ts';
import { collect } from './bytes.ts';
import { createMemoryBlobStore } from './memory.ts';
import type { Finding, ProbeOptions, ProbeReport } from './probe.ts';
import { checkTrustworthy, probeStore } from './probe.ts';

/** Time passes only while somebody sleeps. */
function options(changes: Partial<ProbeOptions> = {}): ProbeOptions {
  let time = 0;
  const sleep = async (milliseconds: number): Promise<void> => {
    time += milliseconds;
  };
  return { id: 'one', clock: () => time, sleep, ...changes };
}

/** The same store with some operations replaced. */
function replacing(blobs: BlobStore, changes: Partial<BlobStore>): BlobStore {
  return { ...blobs, ...changes };
}

async function keysOf(blobs: BlobStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list('')) keys.push(key);
  return keys;
}

function statusOf({ findings }: ProbeReport): Record<string, Finding['status']> {
  return Object.fromEntries(findings.map(({ check, status }) => [check, status]));
}

describe('probeStore', () => {
  it('finds an honest storage in order, leaves nothing behind and tells its time', async () => {
    const blobs = createMemoryBlobStore({ now: () => new Date(5000) });
    const report = await probeStore(blobs, options({ thorough: true, others: [blobs] }));
    expect(statusOf(report)).toEqual({
      'create-if-absent': 'ok',
      'large-create': 'ok',
      range: 'ok',
      listing: 'ok',
      delete: 'ok',
    });
    expect(report.storageTime).toEqual(new Date(5000));
    expect(await keysOf(blobs)).toEqual([]);
    expect(() => checkTrustworthy('memory:', report)).not.toThrow();
  });

  it('finds out a storage that overwrites, and one that only says "created"', async () => {
    const held = createMemoryBlobStore();
    const overwriting = replacing(held, {
      write: async (key, body) => {
        await held.delete(key);
        return held.write(key, body);
      },
    });
    const report = await probeStore(overwriting, options());
    expect(report.findings[0]).toMatchObject({
      check: 'create-if-absent',
      status: 'failed',
      message: expect.stringContaining('overwrites'),
    });
    expect(() => checkTrustworthy('s3://models', report)).toThrow(
      's3://models cannot be published to: create-if-absent is not honoured: it overwrites what is there; two pushes at once would lose a version',
    );
    const boasting = replacing(held, { write: (...given) => held.write(...given).then(() => 'created') });
    expect((await probeStore(boasting, options())).findings[0]?.message).toMatch(
      /says "created" of a key that is taken/,
    );
  });

  it('finds out a storage that is only honest when nobody races', async () => {
    const held = createMemoryBlobStore();
    const looking = replacing(held, {
      write: async (key, body) => {
        if ((await held.stat(key)) !== undefined) return 'exists';
        await new Promise(setImmediate);
        await held.delete(key);
        await held.write(key, body);
        return 'created';
      },
    });
    const { findings } = await probeStore(looking, options());
    expect(findings[0]).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('of 8 writers of one key, 8 were told'),
    });
  });

  it('does not blame a storage for a lost reply', async () => {
    const held = createMemoryBlobStore();
    const lost = new Set<string>();
    const losing = replacing(held, {
      write: async (key, body) => {
        const said = await held.write(key, body);
        if (said === 'exists' || lost.has(key)) return said;
        lost.add(key);
        return key.endsWith('race-0') || key.endsWith('first') ? 'exists' : said;
      },
    });
    expect(statusOf(await probeStore(losing, options()))['create-if-absent']).toBe('ok');
  });

  it('warns where only large blobs are overwritten, since those have names of their own', async () => {
    const held = createMemoryBlobStore();
    const blobs = replacing(held, {
      write: async (key, body) => {
        if (body.sizeBytes > 2 ** 20) await held.delete(key);
        return held.write(key, body);
      },
    });
    const report = await probeStore(blobs, options({ thorough: true }));
    expect(statusOf(report)).toMatchObject({ 'create-if-absent': 'ok', 'large-create': 'warning' });
    expect(() => checkTrustworthy('x', report)).not.toThrow();
  });

  it('refuses a storage that ignores ranges', async () => {
    const held = createMemoryBlobStore();
    const report = await probeStore(replacing(held, { read: (key) => held.read(key) }), options());
    expect(statusOf(report).range).toBe('failed');
    expect(() => checkTrustworthy('x', report)).toThrow('range is wrong');
  });

  it('measures how late a listing is, and gives up waiting', async () => {
    const held = createMemoryBlobStore();
    for (const [after, said] of [
      [4, /a listing shows what was written 1\.\d s later/],
      [1000, /not even after 3 s/],
    ] as const) {
      let asked = 0;
      const late = replacing(held, {
        async *list(prefix): AsyncIterable<BlobEntry> {
          asked += 1;
          if (asked > after + 1) yield* held.list(prefix);
        },
      });
      const { findings } = await probeStore(late, options());
      expect(findings.find(({ check }) => check === 'listing')).toMatchObject({
        status: 'warning',
        message: expect.stringMatching(said),
      });
    }
  });

  it('warns where nothing may be deleted, or where it does not go away', async () => {
    const held = createMemoryBlobStore();
    const forbidding = replacing(held, {
      delete: async () => {
        throw new IngotError('forbidden', 'no');
      },
    });
    expect(statusOf(await probeStore(forbidding, options()))).toMatchObject({
      'create-if-absent': 'ok',
      delete: 'warning',
    });
    const keeping = replacing(createMemoryBlobStore(), { delete: async () => undefined });
    expect(statusOf(await probeStore(keeping, options())).delete).toBe('warning');
  });

  it('throws what keeps it from writing at all, and removes what it can', async () => {
    const held = createMemoryBlobStore();
    const full = replacing(held, {
      write: async (key, body) => {
        if (key.includes('race')) throw new IngotError('disk-full', 'the disk is full');
        return held.write(key, body);
      },
    });
    await expect(probeStore(full, options())).rejects.toMatchObject({ code: 'disk-full' });
    expect(await keysOf(held)).toEqual([]);
    expect(await collect(held.read('x')).catch((error) => error.code)).toBe('content-not-found');
  });
});
