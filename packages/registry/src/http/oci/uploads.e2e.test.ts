import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, test } from 'vitest';
import type { ModelContents } from '../../oci/oci-blobs.ts';
import { type BlobRoom, openBlobRoom } from '../../oci/blob-room.ts';
import { type TrialApp, trialApp } from '../testing/registry-app.ts';
import { blobRoutes } from './blob-routes.ts';
import { ociApi } from './oci-api.ts';
import { uploadRoutes } from './upload-routes.ts';

const NOBODY: ModelContents = { find: async () => undefined };
const LARGEST = 4_000_000;

let trial: TrialApp;
let room: BlobRoom;

beforeAll(async () => {
  trial = await trialApp({
    protocols: [
      async (app, services) => {
        const scratch = `${services.database.address}/scratch`;
        const references = { isReferenced: async () => false };
        room = await openBlobRoom(services, { scratch, models: NOBODY, references, largestBytes: LARGEST });
        await ociApi([blobRoutes(room), uploadRoutes(room)])(app, services);
      },
    ],
    // Who may read what is pushed to `secret/…`: nobody.
    authorizer: {
      may: (_identity, permission, target) =>
        permission !== 'read' || target.kind !== 'model' || !target.model.startsWith('secret/'),
      check: () => {},
    },
  });
});

afterAll(async () => {
  await room[Symbol.asyncDispose]();
  await trial[Symbol.asyncDispose]();
});

type Headers = Readonly<Record<string, string>>;
type Method = 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

const ask = (method: Method, url: string, body?: Uint8Array, headers: Headers = {}) =>
  trial.app.inject({ method, url, headers, ...(body && { payload: Buffer.from(body) }) });

const sha = (bytes: Uint8Array, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

async function begun(repository: string, query = ''): Promise<string> {
  const { statusCode, headers } = await ask('POST', `/v2/${repository}/blobs/uploads/${query}`);
  assert.equal(statusCode, 202);
  return String(headers.location);
}

async function stored(repository: string, digest: string): Promise<Buffer> {
  const { statusCode, rawPayload } = await ask('GET', `/v2/${repository}/blobs/${digest}`);
  assert.equal(statusCode, 200);
  return rawPayload;
}

const errorOf = (reply: { json(): { errors: readonly { code: string }[] } }): string | undefined =>
  reply.json().errors[0]?.code;

test('a small blob that comes in one request is there, and says by which digest it was asked', async () => {
  const bytes = randomBytes(1000);
  const reply = await ask('POST', `/v2/one/blobs/uploads/?digest=${sha(bytes)}`, bytes);
  assert.deepEqual([reply.statusCode, reply.headers.location], [201, `/v2/one/blobs/${sha(bytes)}`]);
  assert.deepEqual(await stored('one', sha(bytes)), bytes);
  const head = await ask('HEAD', `/v2/one/blobs/${sha(bytes)}`);
  assert.deepEqual(
    [head.statusCode, head.headers['content-length'], head.headers['docker-content-digest'], head.body],
    [200, '1000', sha(bytes), ''],
  );
});

test('a blob of no bytes is one', async () => {
  const none = Buffer.alloc(0);
  const at = await begun('none');
  assert.equal((await ask('PUT', `${at}?digest=${sha(none)}`)).statusCode, 201);
  assert.equal((await stored('none', sha(none))).byteLength, 0);
});

for (const size of [700_000, 1000])
  test(`a blob of ${size} bytes that comes in three parts and with the last request is whole`, async () => {
    const bytes = randomBytes(size);
    const at = await begun(`parts-${size}`);
    const cut = [0, 0.4, 0.7, 1].map((part) => Math.floor(part * size));
    for (const n of [0, 1]) {
      const [from = 0, to = 0] = [cut[n], cut[n + 1]];
      const part = await ask('PATCH', at, bytes.subarray(from, to), { 'content-range': `${from}-${to - 1}` });
      assert.deepEqual([part.statusCode, part.headers.range], [202, `0-${to - 1}`]);
    }
    const again = await ask('PATCH', at, bytes.subarray(0, cut[1]), { 'content-range': `0-${Number(cut[1]) - 1}` });
    assert.deepEqual([again.statusCode, again.headers.range], [416, `0-${Number(cut[2]) - 1}`]);
    const status = await ask('GET', at);
    assert.deepEqual(
      [status.statusCode, status.headers.range, status.headers.location],
      [204, `0-${Number(cut[2]) - 1}`, at],
    );
    const last = { 'content-range': `${cut[2]}-${size - 1}` };
    assert.equal((await ask('PUT', `${at}?digest=${sha(bytes)}`, bytes.subarray(cut[2]), last)).statusCode, 201);
    assert.deepEqual(await stored(`parts-${size}`, sha(bytes)), bytes);
    assert.equal((await ask('GET', at)).statusCode, 404);
  });

for (const [name, query] of [
  ['whose digest is known', ''],
  ['by another algorithm', '?digest-algorithm=sha512'],
] as const)
  test(`a blob in parts ${name} can be called by SHA-512`, async () => {
    const bytes = randomBytes(800_000);
    const at = await begun('long', query);
    await ask('PATCH', at, bytes.subarray(0, 300_000));
    await ask('PATCH', at, bytes.subarray(300_000));
    const digest = sha(bytes, 'sha512');
    const made = await ask('PUT', `${at}?digest=${digest}`);
    assert.deepEqual([made.statusCode, made.headers['docker-content-digest']], [201, digest]);
    assert.deepEqual(await stored('long', digest), bytes);
    assert.equal((await ask('HEAD', `/v2/long/blobs/${sha(bytes)}`)).statusCode, 404);
  });

test('another server goes on with an upload, and knows its digest without having seen its first bytes', async () => {
  const bytes = randomBytes(900_000);
  const at = await begun('moved');
  await ask('PATCH', at, bytes.subarray(0, 400_000), { 'content-range': '0-399999' });
  const { room: second, end } = await anotherRoom();
  const id = at.split('/').at(-1) ?? '';
  async function* rest() {
    yield bytes.subarray(400_000);
  }
  const { parseRepository } = await import('../../oci/repository.ts');
  const { requestedDigest } = await import('../../oci/blob-context.ts');
  const name = parseRepository('moved');
  await second.uploads.append(name, id, { stream: rest(), sizeBytes: 500_000 });
  await second.uploads.finish(name, id, requestedDigest(sha(bytes)));
  await end();
  assert.deepEqual(await stored('moved', sha(bytes)), bytes);
});

async function anotherRoom() {
  const { services } = trial;
  const references = { isReferenced: async () => false };
  const scratch = `${services.database.address}/scratch-2`;
  const second = await openBlobRoom(services, { scratch, models: NOBODY, references });
  return { room: second, end: () => second[Symbol.asyncDispose]() };
}

test('what is called by a wrong digest is refused, and nothing of it is left', async () => {
  const large = randomBytes(600_000);
  const wrong = sha(Buffer.from('something else'));
  const at = await begun('wrong');
  const replies = [
    await ask('POST', `/v2/wrong/blobs/uploads/?digest=${wrong}`, large),
    await ask('POST', `/v2/wrong/blobs/uploads/?digest=${wrong}`, large.subarray(0, 10)),
    await ask('PUT', `${await begun('wrong')}?digest=${wrong}`, large),
    (await ask('PATCH', at, large)) && (await ask('PUT', `${at}?digest=${wrong}`)),
  ];
  assert.deepEqual(
    replies.map((reply) => [reply.statusCode, errorOf(reply)]),
    Array(4).fill([400, 'DIGEST_INVALID']),
  );
  assert.equal((await ask('GET', at)).statusCode, 404);
  assert.equal((await ask('HEAD', `/v2/wrong/blobs/${sha(large)}`)).statusCode, 404);
  const own = trial.services.database.own;
  assert.deepEqual(await own.selectFrom('oci_blobs').select('digest').where('repository', '=', 'wrong').execute(), []);
  assert.deepEqual(await own.selectFrom('oci_uploads').select('id').where('repository', '=', 'wrong').execute(), []);
  assert.equal(errorOf(await ask('POST', '/v2/wrong/blobs/uploads/?digest=sha256:abc', large)), 'DIGEST_INVALID');
});

test('a blob larger than the registry takes is refused, announced or not', async () => {
  const announced = await ask(
    'POST',
    `/v2/huge/blobs/uploads/?digest=${sha(Buffer.alloc(0))}`,
    randomBytes(LARGEST + 1),
  );
  assert.deepEqual([announced.statusCode, errorOf(announced)], [413, 'SIZE_INVALID']);
  const at = await begun('huge');
  assert.equal((await ask('PATCH', at, randomBytes(LARGEST - 10))).statusCode, 202);
  assert.equal((await ask('PATCH', at, randomBytes(11))).statusCode, 413);
  assert.equal((await ask('GET', at)).headers.range, `0-${LARGEST - 11}`);
});

test('an upload that is cancelled is gone, and there is none in another repository', async () => {
  const at = await begun('cancelled');
  await ask('PATCH', at, randomBytes(400_000));
  assert.equal((await ask('PATCH', at.replace('cancelled', 'other'), randomBytes(10))).statusCode, 404);
  assert.equal((await ask('DELETE', at)).statusCode, 204);
  assert.equal(errorOf(await ask('DELETE', at)), 'BLOB_UPLOAD_UNKNOWN');
});

test('a blob is lent to another repository only by whoever may read it where it is', async () => {
  const bytes = randomBytes(500_000);
  const digest = sha(bytes);
  await ask('POST', `/v2/secret/a/blobs/uploads/?digest=${digest}`, bytes);
  const mount = (query: string) => ask('POST', `/v2/borrower/blobs/uploads/?mount=${digest}${query}`);
  assert.equal((await mount('&from=secret/a')).statusCode, 202);
  assert.equal((await mount('')).statusCode, 202);
  assert.equal((await mount('&from=nowhere')).statusCode, 202);
  assert.equal((await ask('HEAD', `/v2/borrower/blobs/${digest}`)).statusCode, 404);
  await ask('POST', `/v2/public/blobs/uploads/?digest=${digest}`, bytes);
  const lent = await mount('');
  assert.deepEqual([lent.statusCode, lent.headers.location], [201, `/v2/borrower/blobs/${digest}`]);
  assert.equal((await ask('DELETE', `/v2/public/blobs/${digest}`)).statusCode, 202);
  assert.equal((await ask('DELETE', `/v2/public/blobs/${digest}`)).statusCode, 404);
  assert.deepEqual(await stored('borrower', digest), bytes);
});

test('contents that no blob needs any more lose their root', async () => {
  const bytes = randomBytes(500_000);
  const digest = sha(bytes);
  const roots = async (): Promise<number> => {
    let count = 0;
    for await (const _ of trial.services.store.blobs.list('roots/oci/')) count += 1;
    return count;
  };
  const before = await roots();
  await ask('POST', `/v2/gone/blobs/uploads/?digest=${digest}`, bytes);
  await ask('POST', `/v2/gone/blobs/uploads/?digest=${digest}`, bytes);
  assert.equal(await roots(), before + 1);
  await ask('POST', `/v2/kept/blobs/uploads/?mount=${digest}&from=gone`);
  await ask('DELETE', `/v2/gone/blobs/${digest}`);
  assert.equal(await roots(), before + 1);
  await ask('DELETE', `/v2/kept/blobs/${digest}`);
  assert.equal(await roots(), before);
});

test('a range of a blob is exactly that range, and one that is outside is refused', async () => {
  const bytes = randomBytes(400_000);
  const url = `/v2/ranges/blobs/${sha(bytes)}`;
  await ask('POST', `/v2/ranges/blobs/uploads/?digest=${sha(bytes)}`, bytes);
  const get = async (range: string) => {
    const { statusCode, headers, rawPayload } = await ask('GET', url, undefined, { range });
    return [statusCode, headers['content-range'], rawPayload] as const;
  };
  assert.deepEqual(await get('bytes=500-1499'), [206, 'bytes 500-1499/400000', bytes.subarray(500, 1500)]);
  assert.deepEqual(await get('bytes=399000-'), [206, 'bytes 399000-399999/400000', bytes.subarray(399_000)]);
  assert.deepEqual(await get('bytes=-10'), [206, 'bytes 399990-399999/400000', bytes.subarray(-10)]);
  assert.deepEqual(await get('bytes=100-9999999'), [206, 'bytes 100-399999/400000', bytes.subarray(100)]);
  for (const range of ['bytes=500-0', 'bytes=400000-', 'bytes=-0'])
    assert.deepEqual((await get(range)).slice(0, 2), [416, 'bytes */400000']);
  assert.equal((await ask('GET', url, undefined, { 'if-none-match': `"${sha(bytes)}"` })).statusCode, 304);
});
