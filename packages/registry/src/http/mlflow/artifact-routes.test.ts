import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'node:net';
import { join } from 'node:path';
import { digestOf } from '@ingot/core/digest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Artifacts, openArtifacts } from '../../artifacts/artifacts.ts';
import { bodyOf, noise } from '../../artifacts/testing/served.ts';
import { MAX_OPEN_UPLOADS } from '../../artifacts/multipart.ts';
import { ArtifactPath } from '../../artifacts/artifact-path.ts';
import { type TrialApp, trialApp } from '../testing/registry-app.ts';
import { mlflowApi } from './mlflow-api.ts';

const FILES = '/api/2.0/mlflow-artifacts/artifacts';
const MPU = '/api/2.0/mlflow-artifacts/mpu';

let scratch: string;
let trial: TrialApp;
let artifacts: Artifacts;
let now = new Date('2026-11-21T12:00:00.000Z');

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'ingot-artifact-routes-'));
  trial = await trialApp({
    now: () => now,
    protocols: [
      async (app, services) => {
        artifacts = await openArtifacts(services, { scratch });
        await mlflowApi(artifacts, { silenceMs: 200, bytesPerSecond: 1, graceMs: 60_000, lookMs: 20 })(app, services);
      },
    ],
  });
});

afterAll(async () => {
  await artifacts[Symbol.asyncDispose]();
  await trial[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) => trial.app.inject({ method: 'GET', url, headers });

const put = (url: string, payload: string | Buffer, type = 'application/json') =>
  trial.app.inject({ method: 'PUT', url, payload, headers: { 'content-type': type } });

const post = (url: string, payload: object) => trial.app.inject({ method: 'POST', url, payload });

/** An address as clients call it, without the server's name. */
const local = (address: string): string => new URL(address).pathname;

describe('the artifact proxy', () => {
  it('takes any bytes under any type, and gives them to be saved, never to be shown', async () => {
    const page = '<script>alert(1)</script>';
    const answer = await put(`${FILES}/0/r/artifacts/page.html`, page, 'text/html');
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    const got = await get(`${FILES}/0/r/artifacts/page.html`);
    expect(got.body).toBe(page);
    expect(got.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': 'attachment; filename="page.html"',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'accept-ranges': 'bytes',
      etag: `"${digestOf(page)}"`,
    });
    expect((await get(`${FILES}/0/r/artifacts/page.html`, { 'if-none-match': `"${digestOf(page)}"` })).statusCode).toBe(
      304,
    );
  });

  it('says which methods an address of files takes, in the errors of MLflow', async () => {
    const answer = await post(`${FILES}/0/r/artifacts/page.html`, {});
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'DELETE, GET, HEAD, PUT']);
    expect(answer.json().error_code).toBe('BAD_REQUEST');
    expect((await post('/api/2.0/mlflow-artifacts/nothing', {})).json().error_code).toBe('RESOURCE_DOES_NOT_EXIST');
  });

  it('gives ranges as they are asked for', async () => {
    await put(`${FILES}/0/r/artifacts/digits`, '0123456789');
    const range = async (range: string) => {
      const { statusCode, body, headers } = await get(`${FILES}/0/r/artifacts/digits`, { range });
      return [statusCode, body, headers['content-range']];
    };
    expect(await range('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await range('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await range('bytes=-2')).toEqual([206, '89', 'bytes 8-9/10']);
    expect(await range('bytes=5-99')).toEqual([206, '56789', 'bytes 5-9/10']);
    expect(await range('bytes=10-')).toEqual([416, '', 'bytes */10']);
    expect(await range('bytes=0-1,4-5')).toEqual([200, '0123456789', undefined]);
  });

  it('lists names alone, and nothing at all for a file and for what is not there', async () => {
    await put(`${FILES}/0/l/artifacts/a/b.txt`, 'abc');
    await put(`${FILES}/0/l/artifacts/c d%25.txt`, 'x');
    const list = async (path: string) => JSON.parse((await get(`${FILES}?${new URLSearchParams({ path })}`)).body);
    expect(await list('0/l/artifacts')).toEqual({
      files: [
        { path: 'a', is_dir: true },
        { path: 'c d%.txt', is_dir: false, file_size: 1 },
      ],
    });
    expect(await list('0/l/artifacts/a/b.txt')).toEqual({});
    expect(await list('0/l/nothing')).toEqual({});
  });

  it('says that a file is missing in the words that clients look for, and removes what it is told to', async () => {
    const missing = await get(`${FILES}/0/none`);
    expect(missing.statusCode).toBe(404);
    expect(JSON.parse(missing.body)).toMatchObject({ error_code: 'RESOURCE_DOES_NOT_EXIST' });
    expect(JSON.parse(missing.body).message).toMatch(/^No such artifact: /);
    await put(`${FILES}/0/d/x`, 'x');
    expect((await trial.app.inject({ method: 'DELETE', url: `${FILES}/0/d/x` })).body).toBe('{}');
    expect((await get(`${FILES}/0/d/x`)).statusCode).toBe(404);
  });

  it.each([
    '..%2f..%2fetc%2fpasswd',
    '%252e%252e%252fetc',
    '..%5c..%5cetc',
    '/proc/self/root',
    'a%00b',
    '%c0%ae%c0%ae/etc',
    'C:/windows',
    'a%23b',
    '%EF%BC%8E%EF%BC%8E/etc',
  ])('gives nothing for %s', async (path) => {
    for (const answer of [await get(`${FILES}/${path}`), await put(`${FILES}/${path}`, 'x')]) {
      expect(answer.statusCode).toBe(400);
      expect(answer.headers['content-disposition']).toBeUndefined();
    }
  });

  it('gives up bodies that stall, of whatever size, and goes on taking others', async () => {
    const { port } = new URL(await trial.listen());
    const stalled = (sizeBytes: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const head = `PUT ${FILES}/0/slow/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${sizeBytes}\r\n\r\nx`;
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(head));
        socket.setTimeout(5000, () => socket.destroy(new Error('nobody gave it up')));
        socket.once('data', (bytes) => {
          resolve(bytes.toString().slice(9, 12));
          socket.destroy();
        });
        socket.once('error', reject);
      });
    const answers = Array.from({ length: 12 }, (_, n) => stalled(n % 2 === 0 ? 1000 : 10_000_000));
    expect((await put(`${FILES}/0/slow/y`, Buffer.from(noise(300_000)))).statusCode).toBe(200);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['408']));
  });

  it('never writes to versions', async () => {
    const answer = await put(`${FILES}/versions/churn-0a1b2c3d/1/MLmodel`, 'x');
    expect([403, 404]).toContain(answer.statusCode);
  });
});

describe('files in parts', () => {
  it('are put together when all have come, in whatever order', async () => {
    const bytes = Buffer.from(noise(700_000));
    const created = await post(`${MPU}/create/0/p/artifacts`, { path: '/home/me/big.bin', num_parts: 3 });
    const { upload_id, credentials } = JSON.parse(created.body);
    const cuts = [bytes.subarray(0, 300_000), bytes.subarray(300_000, 600_000), bytes.subarray(600_000)];
    const parts: object[] = [];
    for (const n of [2, 0, 1]) {
      const answer = await put(local(credentials[n].url), cuts[n] ?? Buffer.alloc(0), 'application/octet-stream');
      parts.push({ part_number: n + 1, etag: answer.headers.etag, url: credentials[n].url });
    }
    const body = { path: '/home/me/big.bin', upload_id, parts };
    const early = await post(`${MPU}/complete/0/p/artifacts`, { ...body, parts: parts.slice(1) });
    expect(early.statusCode).toBe(400);
    expect((await post(`${MPU}/complete/0/p/artifacts`, body)).body).toBe('{}');
    expect((await get(`${FILES}/0/p/artifacts/big.bin`)).rawPayload.equals(bytes)).toBe(true);
    expect((await post(`${MPU}/complete/0/p/artifacts`, body)).statusCode).toBe(404);
  });

  it('are begun only so often while nobody finishes any', async () => {
    const row = { path: '0/q/artifacts/f', parts: 1, at: now.toISOString() };
    const { own } = trial.services.database;
    const ids = Array.from({ length: MAX_OPEN_UPLOADS }, (_, n) => `open-${n}`);
    for (let from = 0; from < ids.length; from += 1000)
      await own
        .insertInto('artifact_uploads')
        .values(ids.slice(from, from + 1000).map((id) => ({ ...row, id })))
        .execute();
    const refused = await post(`${MPU}/create/0/q/artifacts`, { path: 'f', num_parts: 1 });
    expect([refused.statusCode, Number(refused.headers['retry-after'])]).toEqual([429, 1]);
    await own.deleteFrom('artifact_uploads').where('id', 'like', 'open-%').execute();
    expect((await post(`${MPU}/create/0/q/artifacts`, { path: 'f', num_parts: 10_001 })).statusCode).toBe(400);
  });

  it('go when they are given up, or when nobody finishes them for a day', async () => {
    const begin = async () => JSON.parse((await post(`${MPU}/create/0/q/artifacts`, { path: 'f', num_parts: 1 })).body);
    const [first, second] = [await begin(), await begin()];
    for (const { credentials } of [first, second]) await put(local(credentials[0].url), Buffer.from(noise(300_000)));
    await post(`${MPU}/abort/0/q/artifacts`, { path: 'f', upload_id: first.upload_id });
    expect((await put(local(first.credentials[0].url), 'x')).statusCode).toBe(404);
    now = new Date('2026-11-23T12:00:00.000Z');
    expect(await artifacts.multipart.expire()).toBe(1);
    const roots = [];
    for await (const { key } of trial.services.store.blobs.list('roots/')) roots.push(key);
    const kept = await trial.services.database.own.selectFrom('artifact_holdings').select('root').execute();
    expect(roots.sort()).toEqual(kept.map(({ root }) => root).sort());
  });
});

describe('signed addresses', () => {
  it('are good for one file and one act, until they expire', async () => {
    await artifacts.tree.put(ArtifactPath.parse('0/s/f'), bodyOf('secret'));
    const presigned = JSON.parse((await get('/api/2.0/mlflow-artifacts/presigned/0/s/f')).body);
    expect(presigned).toMatchObject({ file_size: 6, headers: {} });
    const url = local(presigned.url);
    expect((await get(url)).body).toBe('secret');
    expect((await put(url, 'other')).statusCode).toBe(403);
    const [text = '', seal = ''] = url.split('.').slice(-2);
    const forged = Buffer.from(JSON.stringify({ act: 'read', path: '0/s/g', until: 9e9 })).toString('base64url');
    expect((await get(`/api/2.0/mlflow-artifacts/signed/${forged}.${seal}`)).statusCode).toBe(403);
    expect(
      (await get(`${url.slice(0, -seal.length)}${seal.startsWith('A') ? 'B' : 'A'}${seal.slice(1)}`)).statusCode,
    ).toBe(403);
    expect(text).not.toBe('');
    now = new Date(now.getTime() + 16 * 60_000);
    expect((await get(url)).statusCode).toBe(403);
  });
});
