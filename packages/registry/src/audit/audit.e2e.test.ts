import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bodyOf, readIfPresent } from '@ingot/core/blob/bytes';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import { digestOf } from '@ingot/core/digest';
import { parseModelName } from '@ingot/core/ref';
import { encodeEvent, parseEvent } from '@ingot/core/registry/events';
import { openLogRegistry } from '@ingot/core/registry/open';
import type { VersionDraft } from '@ingot/core/registry/registry';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../database/database.ts';
import { openServedIndex } from '../index/served-index.ts';
import { AccessLog } from './access-log.ts';
import { openAudit } from './audit.ts';
import { collectEvidence, verifyEvidence } from './evidence.ts';
import { holdAliases } from './held-aliases.ts';
import { verifyStore } from './verify-store.ts';

const CHURN = parseModelName('churn');
const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));

function draft(text: string): VersionDraft {
  const digest = digestOf(text);
  const recipe = { digest, pack: 'u/1', offset: 0, length: 1 };
  return { manifest: digest, recipe, sizeBytes: 1, fileCount: 1, flavor: 'file', scan: 'not scanned' };
}

async function opened() {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-audit-'));
  const database = await openDatabase({ directory });
  const blobs = createMemoryBlobStore();
  const format = new FormatOnce(blobs);
  const { id: store } = await format.create();
  const now = (): Date => new Date();
  const told: string[] = [];
  const log = (_level: string, message: string): void => void told.push(message);
  const accessLog = new AccessLog({ own: database.own, now, random, warn: (message) => told.push(message) });
  const isAuthenticated = (actor: string): boolean => actor === 'ana';
  const audit = await openAudit({ database, format, accessLog, log, now, random, isAuthenticated });
  const indexed = await openServedIndex({
    database,
    blobs,
    contents: createBlobContentStore(blobs, { format }),
    log,
    now,
    openRegistry: (onEvent) =>
      openLogRegistry({
        blobs,
        actor: 'server',
        format,
        onEvent,
        beforeEvent: (place, event) => audit.written.note(place, event),
      }),
  });
  audit.follow(indexed.index);
  const registry = holdAliases(indexed.registry, audit.protectedMoves);
  const end = async (): Promise<void> => {
    await indexed[Symbol.asyncDispose]();
    await audit[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  };
  await registry.ensureModel(CHURN);
  const past = openLogRegistry({ blobs, actor: 'mallory' });
  return { database, blobs, store, audit, registry, index: indexed.index, past, told, now, [Symbol.asyncDispose]: end };
}

/** Writes a log anew from some event on: every digest is right again, as somebody with all keys of the bucket would do it. */
async function rewrite(blobs: BlobStore, prefix: string, from: number): Promise<void> {
  let previous = null;
  for (let seq = 1; ; seq += 1) {
    const key = `${prefix}/log/${String(seq).padStart(10, '0')}.json`;
    const bytes = await readIfPresent(blobs, key, {});
    if (bytes === undefined) return;
    const event = parseEvent(bytes, key, seq);
    const { bodyDigest: _, ...head } = event.head;
    const body = seq === from ? { ...event.body, message: 'nothing to see' } : (event.body ?? {});
    const made = encodeEvent({ ...head, previous }, '0'.repeat(32), body);
    previous = seq < from ? event.digest : made.digest;
    if (seq < from) continue;
    await blobs.delete(key);
    await blobs.write(key, bodyOf(made.bytes), {});
  }
}

async function logOf(registry: { model(name: typeof CHURN): Promise<{ readonly id: string }> }): Promise<string> {
  return `models/${(await registry.model(CHURN)).id}`;
}

describe('checkpoints', () => {
  it('find a history that was written anew, where the chain alone says that all is well', async () => {
    await using world = await opened();
    const { registry, audit, blobs, store } = world;
    await registry.publish(CHURN, draft('1'), { actor: 'ana' });
    await registry.publish(CHURN, draft('2'), { actor: 'ana', aliases: ['production'] });
    expect(await audit.notary.checkpoint()).toBeDefined();
    await registry.setAlias(CHURN, 'production', 1, { actor: 'ana' });
    expect(await audit.notary.checkpoint()).toBeDefined();
    expect(await audit.notary.checkpoint()).toBeUndefined();
    const file = { keys: await audit.notary.publicKeys(), checkpoints: await audit.notary.checkpoints() };
    expect((await verifyStore(blobs, { file, store })).findings).toEqual([]);
    const log = await logOf(registry);
    await rewrite(blobs, log, 2);
    expect((await verifyStore(blobs)).findings).toEqual([]);
    const { findings } = await verifyStore(blobs, { file, store });
    expect(findings.map(({ where, what }) => `${where === log} ${what}`)).toContain(
      'true event 3 is not the one that was signed: the log was written anew',
    );
  });

  it('find a log that was cut, and one that is gone', async () => {
    await using world = await opened();
    const { registry, audit, blobs } = world;
    await registry.publish(CHURN, draft('1'), { actor: 'ana' });
    await registry.setAlias(CHURN, 'production', 1, { actor: 'ana' });
    await audit.notary.checkpoint();
    const file = { keys: await audit.notary.publicKeys(), checkpoints: await audit.notary.checkpoints() };
    const log = await logOf(registry);
    await blobs.delete(`${log}/log/0000000002.json`);
    expect((await verifyStore(blobs, { file })).findings).toEqual([
      { where: log, what: 'event 2, which was signed, is gone' },
    ]);
    await blobs.delete(`${log}/log/0000000001.json`);
    expect((await verifyStore(blobs, { file })).findings.map(({ what }) => what).join()).toContain('it is gone');
  });

  it('that were changed, left out, or are of another server do not count', async () => {
    await using world = await opened();
    await using other = await opened();
    const { registry, audit, blobs } = world;
    for (const text of ['1', '2', '3']) {
      await registry.publish(CHURN, draft(text), { actor: 'ana' });
      await audit.notary.checkpoint();
    }
    const keys = await audit.notary.publicKeys();
    const [first, second, third] = await audit.notary.checkpoints();
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were made');
    const changed = { ...second, payload: second.payload.replace('"number":2', '"number":9') };
    const found = async (checkpoints: (typeof first)[], of = keys) =>
      (await verifyStore(blobs, { file: { keys: of, checkpoints } })).findings.map(({ what }) => what).join();
    expect(await found([first, changed, third])).toContain('its signature does not hold');
    expect(await found([first, third])).toContain('checkpoints 2 to 2 are missing');
    expect(await found([first], await other.audit.notary.publicKeys())).toContain('its signature does not hold');
    expect(await found([first, second, third])).toBe('');
  });
});

describe('a protected alias', () => {
  it('goes on to lead where it led when somebody moves it past the server, until it is moved through it', async () => {
    await using world = await opened();
    const { registry, audit, past, index, database } = world;
    audit.protectedMoves.protect((_model, alias) => alias === 'production');
    for (const text of ['1', '2', '3']) await registry.publish(CHURN, draft(text), { actor: 'ana' });
    await registry.setAlias(CHURN, 'production', 1, { actor: 'ana' });
    await past.setAlias(CHURN, 'production', 3);
    await past.setAlias(CHURN, 'staging', 3);
    await index.refresh(CHURN);
    const reference = (alias: string) => ({ name: CHURN, selector: { kind: 'alias', alias } }) as const;
    const target = async (alias: string) => (await registry.resolve(reference(alias))).number;
    await expect.poll(() => target('production')).toBe(1);
    expect(await target('staging')).toBe(3);
    expect((await registry.model(CHURN)).aliases).toEqual({ production: 1, staging: 3 });
    // Whatever lists, searches or answers in other words reads the rows of the index.
    const rows = async () =>
      (await database.index.selectFrom('aliases').select(['alias', 'number']).orderBy('alias').execute()).map(
        ({ alias, number }) => `${alias} ${number}`,
      );
    await expect.poll(rows).toEqual(['production 1', 'staging 3']);
    expect(await audit.protectedMoves.flagged()).toMatchObject([
      { alias: 'production', from_number: 1, to_number: 3, actor: 'mallory' },
    ]);
    await past.setAlias(CHURN, 'production', 2);
    await index.refresh(CHURN);
    await expect.poll(async () => (await audit.protectedMoves.flagged()).length).toBe(2);
    expect(await target('production')).toBe(1);
    const first = { name: CHURN, selector: { kind: 'version', number: 1 } } as const;
    await expect(registry.deleteVersion(first)).rejects.toMatchObject({ code: 'conflict' });
    await expect.poll(rows).toEqual(['production 1', 'staging 3']);
    await past.removeAlias(CHURN, 'production');
    await index.refresh(CHURN);
    await expect.poll(async () => (await audit.protectedMoves.flagged()).length).toBe(3);
    await expect.poll(rows).toEqual(['production 1', 'staging 3']);
    await registry.setAlias(CHURN, 'production', 3, { actor: 'ana' });
    await expect.poll(() => target('production')).toBe(3);
    expect(await audit.protectedMoves.flagged()).toEqual([]);
    await expect.poll(rows).toEqual(['production 3', 'staging 3']);
    await past.setAlias(CHURN, 'production', 2);
    await index.refresh(CHURN);
    await expect.poll(async () => (await audit.protectedMoves.flagged()).length).toBe(1);
    await expect.poll(rows).toEqual(['production 3', 'staging 3']);
    expect(await target('production')).toBe(3);
    await audit.protectedMoves.accept((await registry.model(CHURN)).id, 'production');
    expect(await target('production')).toBe(2);
    expect(await rows()).toEqual(['production 2', 'staging 3']);
  });
});

describe('an evidence file', () => {
  it('holds what is known of a model in a period, says whom nobody authenticated, and any change of it is found', async () => {
    await using world = await opened();
    const { registry, audit, past, index, database, blobs, store, now } = world;
    await registry.publish(CHURN, draft('1'), { actor: 'ana' });
    await past.setAlias(CHURN, 'production', 1);
    await index.refresh(CHURN);
    audit.accessLog.record({ kind: 'denied', actor: 'ben', model: 'churn' });
    const period = { from: '2000-01-01T00:00:00.000Z', to: '2100-01-01T00:00:00.000Z' };
    const { id: modelId } = await registry.model(CHURN);
    const answering = {
      id: 's',
      host: 'edge-7',
      address: 'x',
      release: '1',
      started_at: 0,
      last_seen: 9,
      reported_by: 'ana',
    };
    await database.own.insertInto('deployment_servers').values(answering).execute();
    const span = { server_id: 's', model_id: modelId, number: 1, from_at: 1_700_000_000_000, until_at: null };
    await database.own
      .insertInto('deployments')
      .values({ ...span, model: 'churn', manifest: 'x', sources: '[]' })
      .execute();
    const file = await collectEvidence({ blobs, database, audit, store, now }, CHURN, period, 'ana');
    expect(file.evidence).toMatchObject({ answered: [{ host: 'edge-7', number: 1, until: null, reportedBy: 'ana' }] });
    const text = JSON.stringify(file, null, 2);
    const { id } = await audit.notary.publicKey();
    const verified = verifyEvidence(text, { key: id });
    expect(verified).toMatchObject({ model: 'churn', events: 2, claimed: [2], findings: [] });
    expect(verified.checkpoints).toBeGreaterThan(0);
    for (const [from, to] of [
      ['mallory', 'nobody1'],
      ['\\"actor\\":\\"ben\\"', '\\"actor\\":\\"zoe\\"'],
      ['"claimed": [\n      2\n    ]', '"claimed": []'],
    ] as const) {
      expect(text).toContain(from);
      expect(verifyEvidence(text.replace(from, to)).findings, from).not.toEqual([]);
    }
    expect(verifyEvidence(text, { key: `ed25519:${'0'.repeat(64)}` }).findings).toHaveLength(1);
    const before = { from: '2000-01-01T00:00:00.000Z', to: '2000-01-02T00:00:00.000Z' };
    const empty = JSON.stringify(await collectEvidence({ blobs, database, audit, store, now }, CHURN, before, 'ana'));
    expect(verifyEvidence(empty)).toMatchObject({ events: 2, claimed: [], findings: [] });
    expect(empty).not.toContain('"salt"');
    expect(empty).not.toContain('edge-7');
  });
});

it('access events are chained, written within a second, and floods of them are counted', async () => {
  await using world = await opened();
  const { audit, database } = world;
  const origin = { address: '10.0.0.1', method: 'GET', route: '/x' };
  for (let time = 0; time < 500; time += 1) audit.accessLog.record({ kind: 'denied', actor: 'anonymous', origin });
  const rows = () => database.own.selectFrom('access_events').selectAll().orderBy('seq').execute();
  await expect.poll(async () => (await rows()).length, { timeout: 2000 }).toBe(121);
  const all = await rows();
  expect(all.at(-1)).toMatchObject({ kind: 'suppressed' });
  let previous: string | null = null;
  for (const { event, digest } of all) {
    expect(digestOf(event)).toBe(digest);
    expect(JSON.parse(event).previous).toBe(previous);
    previous = digest;
  }
});
