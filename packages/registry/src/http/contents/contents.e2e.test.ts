import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { collect, bodyOf } from '@ingot/core/blob/bytes';
import { packKey } from '@ingot/core/content/locator';
import { sealFooter } from '@ingot/core/content/pack';
import { storeByHand } from '@ingot/core/content/testing/handmade';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { encodePage, encodeRecipe } from '@ingot/core/content/recipe';
import { RecipeReader } from '@ingot/core/content/recipe-reader';
import { digestOf } from '@ingot/core/digest';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { pull } from '@ingot/core/pull';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentTrial, type ContentTrial, type TrialClient } from '../testing/content-trial.ts';

const weights = (size = 300_000): Buffer => randomBytes(size);
const failure = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** What a refusal says: its code, whatever its words. */
const refused = (code: string) => expect.objectContaining({ code });

async function pulled(client: TrialClient, reference: string): Promise<Record<string, Buffer>> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-pulled-'));
  const output = join(directory, 'out');
  const { registry, contents } = client;
  await pull(reference, { registry, contents, output });
  const names = await readdir(output);
  const read = await Promise.all(names.map(async (name) => [name, await readFile(join(output, name))] as const));
  await rm(directory, { recursive: true });
  return Object.fromEntries(read);
}

const GRANTS = {
  ana: ['push'],
  ben: ['push mine'],
  rita: ['read public'],
};

describe('contents over HTTP', () => {
  it('what is pushed is pulled, and the same contents are sent once', async () => {
    await using server = await contentTrial(GRANTS);
    const ana = await server.as('ana');
    const model = weights();
    await ana.push('churn', { 'model.bin': model });
    const second = await ana.push('other', { 'model.bin': model, 'note.txt': 'another model' });
    expect(second.bytes).toMatchObject({ new: 'another model'.length, stored: model.byteLength });
    expect((await pulled(ana, 'other'))['model.bin']?.equals(model)).toBe(true);
  });

  it('who cannot read a model sends all and learns nothing of it', async () => {
    await using server = await contentTrial(GRANTS);
    const [ana, ben] = [await server.as('ana'), await server.as('ben')];
    const model = weights();
    await ana.push('secret', { 'model.bin': model });
    const asked = await ben.blobs.ask('pieces', { digests: [digestOf(model)] }, undefined);
    expect(asked).toEqual({ pieces: [] });
    const { bytes } = await ben.push('mine', { 'model.bin': model });
    expect(bytes.new).toBe(model.byteLength);
  });

  it('a pack that holds pieces of two models shows each reader their own', async () => {
    await using server = await contentTrial(GRANTS);
    const [ana, rita] = [await server.as('ana'), await server.as('rita')];
    const [shared, hidden] = [weights(), weights()];
    const { version } = await ana.push('secret', { 'a.bin': shared, 'b.bin': hidden });
    const open = await ana.push('public', { 'a.bin': shared });
    expect(open.bytes.new).toBe(0);
    expect((await pulled(rita, 'public'))['a.bin']?.equals(shared)).toBe(true);
    const packs = await packsOf(server, version.recipe);
    const seen = Buffer.concat(await Promise.all(packs.map((pack) => readOr(rita, pack))));
    expect(seen.includes(shared.subarray(1000, 1040))).toBe(true);
    for (let at = 0; at < hidden.byteLength - 40; at += 1000)
      expect(seen.includes(hidden.subarray(at, at + 40))).toBe(false);
    const { url } = await rita.blobs.ask('direct', { key: packKey(packs[0] ?? ''), method: 'GET' }, undefined);
    expect(url).toBeUndefined();
  });

  it('what is not readable looks like what is not there', async () => {
    await using server = await contentTrial(GRANTS);
    const [ana, rita] = [await server.as('ana'), await server.as('rita')];
    const { version } = await ana.push('secret', { 'a.bin': weights() });
    const { pack } = version.recipe;
    const upload = pack.split('/')[0] ?? '';
    for (const key of [packKey(pack), `packs/${upload}/999.pack`, 'packs/0000/1.pack'])
      for (const method of ['HEAD', 'GET'] as const)
        expect([key, method, (await plain(server, 'rita', method, key)).status]).toEqual([key, method, 404]);
    const listed = [];
    for await (const entry of rita.blobs.list(`packs/${upload}/`)) listed.push(entry);
    expect(listed).toEqual([]);
  });

  it('keys that are no blobs of contents are not there, however they are spelled', async () => {
    await using server = await contentTrial(GRANTS);
    const keys = [
      'names/log/0000000001.json',
      'models/x/log/0000000001.json',
      'keys/1.json',
      'packs/../ingot.json',
      'packs/%2e%2e/ingot.json',
      'packs/a%2f..%2f..%2fnames/1.pack',
      'packs/A/1.pack',
      'packs/a/01.pack/',
      'roots/kept/x.json',
      'packs/a/1.pack%00',
      '/etc/passwd',
      'ingot.json/../names/log/0000000001.json',
    ];
    for (const key of keys) {
      const { status } = await plain(server, 'ana', 'GET', key);
      expect([key, status === 404 || status === 400]).toEqual([key, true]);
      const put = await plain(server, 'ana', 'PUT', key, Buffer.from('x'));
      expect([key, put.status >= 400 && put.status < 500]).toEqual([key, true]);
    }
  });

  it("an upload belongs to whoever began it, and what is published is nobody's to take over", async () => {
    await using server = await contentTrial(GRANTS);
    const [ana, ben] = [await server.as('ana'), await server.as('ben')];
    const { version } = await ana.push('secret', { 'a.bin': weights() });
    const upload = version.recipe.pack.split('/')[0] ?? '';
    await using begun = await ana.contents.openUpload({ modelId: version.modelId });
    await begun.put({ role: 'file', path: 'x', ...bodyOf(weights()) });
    for (const id of [upload, begun.id]) {
      const pack = await packOf(id, 'x');
      const put = await failure(ben.blobs.write(`packs/${id}/77.pack`, bodyOf(pack)));
      expect(put).toEqual(refused('forbidden'));
    }
    expect(await failure(ben.blobs.delete(packKey(version.recipe.pack)))).toEqual(refused('forbidden'));
    expect(await failure(ana.blobs.delete(packKey(version.recipe.pack)))).toEqual(refused('forbidden'));
    await expect(pulled(ana, 'secret')).resolves.toBeDefined();
  });

  it('whoever may push nowhere uploads nothing', async () => {
    await using server = await contentTrial(GRANTS);
    const pack = await packOf('aaaa', 'x');
    const { status } = await plain(server, 'rita', 'PUT', 'packs/aaaa/0.pack', pack);
    expect(status).toBe(403);
  });
});

describe('packs that are not what they say', () => {
  const cases: Readonly<Record<string, (pack: Buffer) => Buffer>> = {
    'bytes of another entry': (pack) => {
      const copy = Buffer.from(pack);
      copy[5] = (copy[5] ?? 0) ^ 1;
      return copy;
    },
    'cut at the end': (pack) => pack.subarray(0, pack.byteLength - 1),
    'cut at the front': (pack) => pack.subarray(1),
    'something behind': (pack) => Buffer.concat([pack, Buffer.from('x')]),
    'only a trailer': (pack) => pack.subarray(pack.byteLength - 48),
    'not even that': () => Buffer.from('x'),
    'a footer longer than the pack': (pack) => {
      const copy = Buffer.from(pack);
      copy.writeBigUInt64BE(2n ** 63n, copy.byteLength - 48);
      return copy;
    },
    'entries that overlap': () => footered(Buffer.alloc(100), [entry(0, 60), entry(40, 60)]),
    'entries that leave a gap': () => footered(Buffer.alloc(100), [entry(0, 40), entry(60, 40)]),
    'an entry longer than the pack': () => footered(Buffer.alloc(100), [entry(0, Number.MAX_SAFE_INTEGER)]),
    'an entry of nothing': () => footered(Buffer.alloc(0), [entry(0, 0)]),
    'a coding that nobody knows': () => footered(Buffer.alloc(100), [{ ...entry(0, 100), coding: 'zip', size: 10 }]),
    'a coded entry that says it becomes huge': () =>
      footered(Buffer.alloc(100), [{ ...entry(0, 100), coding: 'planes4-deflate', size: 2 ** 40 }]),
    'many coded entries that become huge together': () =>
      footered(
        Buffer.alloc(1000),
        Array.from({ length: 20 }, (_, n) => ({ ...entry(n * 50, 50), coding: 'planes4-deflate', size: 16_000_000 })),
      ),
  };
  let server: ContentTrial;
  beforeAll(async () => {
    server = await contentTrial(GRANTS);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  for (const [what, spoil] of Object.entries(cases)) {
    it(`${what}: refused, and nothing is there`, async () => {
      const spoilt = spoil(await packOf('bbbb', 'some bytes'));
      const { status, code } = await plain(server, 'ana', 'PUT', 'packs/bbbb/0.pack', spoilt);
      expect({ status, code }).toEqual({ status: 422, code: 'integrity' });
      expect((await plain(server, 'ana', 'HEAD', 'packs/bbbb/0.pack')).status).toBe(404);
      expect(server.trial.services.contents.spool.held).toEqual({ inMemory: 0, inFiles: 0 });
    });
  }

  it('a pack is there once, as long as it is, also when it is sent twice', async () => {
    const pack = await packOf('cccc', 'some bytes');
    const ana = await server.as('ana');
    expect((await plain(server, 'ana', 'PUT', 'packs/cccc/0.pack', pack)).status).toBe(201);
    expect((await plain(server, 'ana', 'PUT', 'packs/cccc/0.pack', pack)).status).toBe(412);
    expect(await ana.blobs.stat('packs/cccc/0.pack')).toMatchObject({ sizeBytes: pack.byteLength });
    const range = { start: 2, end: 7 };
    expect(await collect(ana.blobs.read('packs/cccc/0.pack', { range }))).toEqual(pack.subarray(2, 7));
  });

  it('a body that stalls is given up, and holds no memory for what it announced', async () => {
    const pace = { silenceMs: 150, bytesPerSecond: 1, graceMs: 60_000, lookMs: 20 };
    await using server = await contentTrial(GRANTS, { contents: { pace } });
    const answered = stalling(server, 60 * 1024 * 1024, randomBytes(1000));
    expect(await answered).toBe(408);
    expect(server.trial.services.contents.spool.held).toEqual({ inMemory: 0, inFiles: 0 });
  });

  it('packs that do not fit into memory arrive by way of a file', async () => {
    await using server = await contentTrial(GRANTS, { contents: { limits: { memoryBytes: 0 } } });
    const ana = await server.as('ana');
    const model = weights(900_000);
    await ana.push('churn', { 'model.bin': model });
    expect((await pulled(ana, 'churn'))['model.bin']?.equals(model)).toBe(true);
    expect(server.trial.services.contents.spool.held).toEqual({ inMemory: 0, inFiles: 0 });
  });
});

describe('publications that are not what they say', () => {
  it('a recipe that points into packs of others is refused', async () => {
    await using server = await contentTrial(GRANTS);
    const [ana, ben] = [await server.as('ana'), await server.as('ben')];
    const { version } = await ana.push('secret', { 'a.bin': weights() });
    const draft = await ben.draft('mine', { 'a.bin': weights() });
    const lying = { ...draft, recipe: version.recipe, manifest: version.manifest };
    expect(await failure(ben.registry.publish(parseModelName('mine'), lying))).toEqual(refused('forbidden'));
    expect(await versions(ana, 'mine')).toEqual([]);
  });

  it('a recipe whose pieces lie elsewhere than it says is refused', async () => {
    await using server = await contentTrial(GRANTS);
    const ana = await server.as('ana');
    const draft = await ana.draft('mine', { 'a.bin': weights(), 'b.txt': 'some words that are short' });
    const { blobs } = server.trial.services.store;
    const reader = new RecipeReader(blobs);
    const recipe = await reader.openRecipe(draft.recipe);
    const pieces = [];
    for (const { digest } of recipe.contents)
      for await (const some of reader.pieces(recipe, digest)) pieces.push(...some);
    const upload = draft.recipe.pack.split('/')[0] ?? '';
    const moved = pieces.map((piece, n) => (n === 0 ? { ...piece, offset: piece.offset + 1 } : piece));
    const page = encodePage(moved);
    const pages = [
      { digest: digestOf(page), pack: `${upload}/90`, offset: 0, length: page.byteLength, pieces: pieces.length },
    ];
    const bytes = encodeRecipe({ contents: recipe.contents, pages, packs: [...recipe.packs, `${upload}/90`] });
    const pack = footered(Buffer.concat([page, bytes]), [
      { ...entry(0, page.byteLength), digest: digestOf(page) },
      { ...entry(page.byteLength, bytes.byteLength), digest: digestOf(bytes) },
    ]);
    expect((await plain(server, 'ana', 'PUT', `packs/${upload}/90.pack`, pack)).status).toBe(201);
    const place = { digest: digestOf(bytes), pack: `${upload}/90`, offset: page.byteLength, length: bytes.byteLength };
    const lying = { ...draft, recipe: place };
    expect(await failure(ana.registry.publish(parseModelName('mine'), lying))).toEqual(refused('integrity'));
    expect(await versions(ana, 'mine')).toEqual([]);
    await expect(ana.registry.publish(parseModelName('mine'), draft)).resolves.toMatchObject({ existed: false });
  });

  it('a manifest whose files were not uploaded is refused', async () => {
    await using server = await contentTrial(GRANTS);
    const ana = await server.as('ana');
    const [one, two] = [await ana.draft('mine', { 'a.txt': 'one' }), await ana.draft('mine', { 'a.txt': 'two' })];
    const lying = { ...one, manifest: two.manifest };
    expect(await failure(ana.registry.publish(parseModelName('mine'), lying))).toEqual(refused('invalid-package'));
  });

  it('files outside of the package are refused', async () => {
    await using server = await contentTrial(GRANTS);
    const ana = await server.as('ana');
    const draft = await ana.draft('mine', { 'a.txt': 'one' });
    for (const path of ['../x', '/etc/x', 'a//b', 'a/../../b', 'a\\b', 'a\0b', '.']) {
      const made = createMemoryBlobStore();
      const upload = `dd${Math.random().toString(36).slice(2)}`;
      const recipe = await storeByHand(made, upload, [{ path, bytes: Buffer.from('x') }]);
      const pack = await collect(made.read(packKey(`${upload}/0`)));
      expect((await plain(server, 'ana', 'PUT', `packs/${upload}/0.pack`, pack)).status).toBe(201);
      const lying = { ...draft, recipe: recipe.ref };
      expect([path, await failure(ana.registry.publish(parseModelName('mine'), lying))]).toEqual([
        path,
        refused('integrity'),
      ]);
    }
  });

  it('a root that names packs of others is refused', async () => {
    await using server = await contentTrial(GRANTS);
    const [ana, ben] = [await server.as('ana'), await server.as('ben')];
    const { version } = await ana.push('secret', { 'a.bin': weights() });
    const mine = await ben.registry.ensureModel(parseModelName('mine'));
    const root = (upload: string, modelId: string, packs: readonly string[]): Buffer =>
      Buffer.from(JSON.stringify({ format: 1, upload, modelId, at: new Date().toISOString(), packs }));
    const put = (bytes: Buffer) => plain(server, 'ben', 'PUT', 'roots/uploads/eeee/0.json', bytes);
    expect((await put(root('eeee', mine.id, [version.recipe.pack]))).status).toBe(403);
    expect((await put(root('ffff', mine.id, []))).status).toBe(400);
    expect((await put(root('eeee', version.modelId, []))).status).toBe(404);
    expect(await put(Buffer.from('{')).then(({ status }) => status)).toBe(400);
    expect((await put(root('eeee', mine.id, []))).status).toBe(201);
  });

  it('uploads that are not finished are refused when there are a thousand in a day, and expire', async () => {
    let now = new Date('2026-01-01T00:00:00Z');
    await using server = await contentTrial(GRANTS, { now: () => now });
    const { uploads } = server.trial.services.contents;
    const ana = { kind: 'token', name: 'ana', authenticated: true, subject: 'account:ana' } as const;
    for (let n = 0; n < 1000; n += 1) await uploads.claim(`u${n}`, ana);
    expect(await failure(uploads.claim('more', ana))).toEqual(refused('overloaded'));
    await uploads.claim('others', { ...ana, subject: 'account:ben' });
    now = new Date('2026-01-02T01:00:00Z');
    await uploads.claim('more', ana);
    expect([await uploads.isOwn('u0', ana), await uploads.isOwn('more', ana)]).toEqual([false, true]);
  });

  it('what was pushed leaves no upload behind', async () => {
    await using server = await contentTrial(GRANTS);
    const ana = await server.as('ana');
    await ana.push('churn', { 'a.txt': 'x' });
    const { tables } = server.trial.services.contents;
    expect(await tables.selectFrom('uploads').selectAll().execute()).toEqual([]);
  });
});

function entry(offset: number, length: number) {
  return { digest: digestOf(Buffer.alloc(length > 1e6 ? 0 : length)), offset, length };
}

function footered(data: Buffer, entries: Parameters<typeof sealFooter>[0]): Buffer {
  return Buffer.concat([data, sealFooter(entries)]);
}

async function packOf(upload: string, text: string): Promise<Buffer> {
  const made = createMemoryBlobStore();
  await storeByHand(made, upload, [{ path: 'x', bytes: Buffer.from(text) }]);
  return await collect(made.read(packKey(`${upload}/0`)));
}

async function packsOf(server: ContentTrial, ref: Parameters<RecipeReader['openRecipe']>[0]) {
  return (await new RecipeReader(server.trial.services.store.blobs).openRecipe(ref)).packs;
}

async function readOr(client: TrialClient, pack: string): Promise<Buffer> {
  return await collect(client.blobs.read(packKey(pack))).catch(() => Buffer.alloc(0));
}

async function versions(client: TrialClient, name: string): Promise<readonly unknown[]> {
  return (await client.registry.model(parseReference(name).name)).all;
}

interface Answered {
  readonly status: number;
  readonly code: string | undefined;
}

/** Sends a request as it is: the key is not encoded anew. */
function plain(server: ContentTrial, who: string, method: string, key: string, body?: Buffer): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const headers = {
      authorization: `Bearer ${who}`,
      ...(body && { 'content-length': body.byteLength, 'content-type': 'application/octet-stream' }),
    };
    const sent = request({ hostname, port, method, path: `/api/v1/blobs/${key}`, headers }, async (reply) => {
      const text = (await collect(reply)).toString();
      const code = /"code":"([^"]*)"/.exec(text)?.[1];
      resolve({ status: reply.statusCode ?? 0, code });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Announces many bytes, sends a few, and gives the status of the answer. */
function stalling(server: ContentTrial, announced: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const headers = { authorization: 'Bearer ana', 'content-length': announced };
    const path = '/api/v1/blobs/packs/gggg/0.pack';
    const sent = request({ hostname, port, method: 'PUT', path, headers }, (reply) => {
      resolve(reply.statusCode ?? 0);
      sent.destroy();
    });
    sent.on('error', reject);
    sent.write(bytes);
  });
}
