/** The clauses of the distribution specification about blobs and uploads, over lines that break and servers that change. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { openS3BlobStore } from '@ingot/core/blob/s3';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needServer } from '../../../core/test/servers/need-server.ts';
import { startPostgresAndBucket } from '../../../core/test/servers/postgres-and-bucket.ts';
import { type TrialServer, trialServer } from '../trial-server.ts';
import { digestOf, inPieces, raw, type RawReply, type RawRequest } from './raw-http.ts';

const MIB = 1024 * 1024;

/** Asks a server as its admin. */
function asker(server: () => TrialServer, token: () => string) {
  return async (method: string, path: string, options: RawRequest = {}): Promise<RawReply> => {
    const headers = { authorization: `Bearer ${token()}`, ...options.headers };
    const reply = await raw(method, server().url + path, { ...options, headers });
    return reply ?? { status: 0, headers: {}, body: Buffer.alloc(0) };
  };
}

describe('a server over a store on a disk', () => {
  let directory = '';
  let server: TrialServer;
  const ask = asker(
    () => server,
    () => server.firstToken,
  );

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ingot-oci-'));
    const blobs = createLocalBlobStore(join(directory, 'store'));
    const format = new FormatOnce(blobs);
    const contents = createBlobContentStore(blobs, { format });
    server = await trialServer({ store: { address: directory, blobs, format, contents } }, () => blobs);
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const begun = async (repository: string): Promise<string> => {
    const { status, headers } = await ask('POST', `/v2/${repository}/blobs/uploads/`, {
      headers: { 'content-length': 0 },
    });
    assert.equal(status, 202);
    return headers.location ?? '';
  };

  const rangeOf = async (at: string): Promise<string | undefined> => (await ask('GET', at)).headers.range;

  test('a blob that comes as a stream of unknown length is whole, and is read back in parts that fit', async () => {
    const bytes = randomBytes(20 * MIB);
    const digest = digestOf(bytes);
    const at = await begun('streamed');
    const part = await ask('PATCH', at, { body: inPieces(bytes) });
    assert.deepEqual([part.status, part.headers.range], [202, `0-${bytes.byteLength - 1}`]);
    const made = await ask('PUT', `${part.headers.location}?digest=${digest}`, { headers: { 'content-length': 0 } });
    assert.deepEqual([made.status, made.headers.location], [201, `/v2/streamed/blobs/${digest}`]);
    const got = await ask('GET', `/v2/streamed/blobs/${digest}`);
    assert(got.body.equals(bytes));
    assert.equal(got.headers['content-length'], String(bytes.byteLength));
    const [start, end] = [9 * MIB + 7, 12 * MIB + 3];
    for (let n = 0; n < 2; n += 1) {
      const part = await ask('GET', `/v2/streamed/blobs/${digest}`, { headers: { range: `bytes=${start}-${end}` } });
      assert.equal(part.status, 206);
      assert(part.body.equals(bytes.subarray(start, end + 1)));
    }
  });

  test('what came of a request that broke is kept and told of, and the rest makes it whole', async () => {
    const bytes = randomBytes(6 * MIB);
    const at = await begun('broken');
    const headers = { 'content-length': bytes.byteLength };
    await ask('PATCH', at, { headers, body: inPieces(bytes.subarray(0, 4 * MIB)), breaks: true });
    await expect.poll(() => rangeOf(at), { timeout: 10_000 }).toBe(`0-${4 * MIB - 1}`);
    const rest = { 'content-range': `${4 * MIB}-${6 * MIB - 1}`, 'content-length': 2 * MIB };
    const again = await ask('PATCH', at, { headers: rest, body: inPieces(bytes.subarray(4 * MIB)) });
    assert.equal(again.status, 202);
    const made = await ask('PUT', `${at}?digest=${digestOf(bytes)}`, { headers: { 'content-length': 0 } });
    assert.equal(made.status, 201);
    assert((await ask('GET', `/v2/broken/blobs/${digestOf(bytes)}`)).body.equals(bytes));
  });

  test('a whole blob in one request that broke leaves nothing', async () => {
    const bytes = randomBytes(3 * MIB);
    const at = await begun('cut');
    const headers = { 'content-length': bytes.byteLength };
    const body = [...inPieces(bytes.subarray(0, 2 * MIB))];
    await ask('PUT', `${at}?digest=${digestOf(bytes)}`, { headers, body, breaks: true });
    await ask('POST', `/v2/cut/blobs/uploads/?digest=${digestOf(bytes)}`, { headers, body, breaks: true });
    assert.equal((await ask('HEAD', `/v2/cut/blobs/${digestOf(bytes)}`)).status, 404);
    assert.equal(await rangeOf(at), '0-0');
    assert.equal((await ask('PUT', `${at}?digest=${digestOf(bytes)}`, { headers, body: inPieces(bytes) })).status, 201);
  });

  test('the same part twice, and the second before the first, are refused with where the upload is', async () => {
    const at = await begun('order');
    const part = (range: string) =>
      ask('PATCH', at, { headers: { 'content-range': range, 'content-length': 1000 }, body: [randomBytes(1000)] });
    const early = await part('1000-1999');
    assert.deepEqual([early.status, early.headers.range, early.headers.location], [416, '0-0', at]);
    assert.equal((await part('0-999')).status, 202);
    const twice = await part('0-999');
    assert.deepEqual([twice.status, twice.headers.range], [416, '0-999']);
    assert.equal((await part('1000-1500')).status, 400);
    assert.equal(await rangeOf(at), '0-999');
  });

  test('of two requests that bring the same part at once one counts', async () => {
    const bytes = randomBytes(2 * MIB);
    const at = await begun('race');
    const headers = { 'content-range': `0-${bytes.byteLength - 1}`, 'content-length': bytes.byteLength };
    const parts = await Promise.all([1, 2].map(() => ask('PATCH', at, { headers, body: inPieces(bytes) })));
    assert.deepEqual(parts.map(({ status }) => status).sort(), [202, 416]);
    const made = await ask('PUT', `${at}?digest=${digestOf(bytes)}`, { headers: { 'content-length': 0 } });
    assert.equal(made.status, 201);
  });

  test('the next version of a large blob is stored by what is new in it', async () => {
    const bytes = randomBytes(16 * MIB);
    const put = async (content: Uint8Array): Promise<number> => {
      const before = await storedBytes();
      const headers = { 'content-length': content.byteLength };
      const url = `/v2/next/blobs/uploads/?digest=${digestOf(content)}`;
      assert.equal((await ask('POST', url, { headers, body: inPieces(content) })).status, 201);
      return (await storedBytes()) - before;
    };
    const storedBytes = async (): Promise<number> => {
      let total = 0;
      for await (const { sizeBytes } of createLocalBlobStore(join(directory, 'store')).list('packs/'))
        total += sizeBytes;
      return total;
    };
    await put(bytes);
    const next = Buffer.concat([bytes.subarray(0, 5 * MIB), randomBytes(300_000), bytes.subarray(5 * MIB)]);
    assert((await put(next)) < 700_000);
  });

  const inFlight = async (): Promise<number> => {
    const { body } = await ask('GET', '/metrics');
    return Number(/^ingot_http_requests_in_flight (\d+)/m.exec(String(body))?.[1]);
  };

  test('who reads slowly or goes away holds up nobody', async () => {
    const bytes = randomBytes(24 * MIB);
    const headers = { 'content-length': bytes.byteLength };
    const digest = digestOf(bytes);
    await ask('POST', `/v2/slow/blobs/uploads/?digest=${digest}`, { headers, body: inPieces(bytes) });
    const url = `${server.url}/v2/slow/blobs/${digest}`;
    const readers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const sent = request(url, { headers: { authorization: `Bearer ${server.firstToken}` }, agent: false });
        sent.on('error', () => {});
        sent.end();
        const [reply] = await once(sent, 'response');
        reply.on('error', () => {});
        return sent;
      }),
    );
    assert((await ask('GET', `/v2/slow/blobs/${digest}`)).body.equals(bytes));
    for (const sent of readers) sent.destroy();
    // The one that asks is in flight itself.
    await expect.poll(inFlight, { timeout: 10_000 }).toBe(1);
    assert.equal((await ask('HEAD', `/v2/slow/blobs/${digest}`)).status, 200);
  });
});

await needServer('postgres', startPostgresAndBucket, ({ postgres, bucket }) => {
  describe('two servers over one Postgres and one bucket', () => {
    let servers: readonly TrialServer[] = [];
    let token = '';

    beforeAll(async () => {
      const memory = createMemoryBlobStore();
      const start = async (): Promise<TrialServer> => {
        const blobs = await openS3BlobStore(bucket.address, { env: bucket.env });
        const format = new FormatOnce(blobs);
        const contents = createBlobContentStore(blobs, { format });
        const store = { address: bucket.address, blobs, format, contents };
        return await trialServer({ databaseAddress: postgres.address, store }, () => memory);
      };
      servers = [await start(), await start()];
      token = servers[0]?.firstToken ?? '';
    });

    afterAll(async () => {
      for (const server of servers) await server[Symbol.asyncDispose]();
    });

    test('go on with each other’s uploads, and read each other’s blobs', async () => {
      const [first, second] = [0, 1].map((n) =>
        asker(
          () => servers[n] ?? assert.fail(),
          () => token,
        ),
      );
      assert(first !== undefined && second !== undefined);
      const bytes = randomBytes(5 * MIB);
      const digest = digestOf(bytes, 'sha512');
      const nothing = { headers: { 'content-length': 0 } };
      const at = (await first('POST', '/v2/shared/blobs/uploads/', nothing)).headers.location ?? '';
      const cut = 3 * MIB;
      assert.equal((await first('PATCH', at, { body: inPieces(bytes.subarray(0, cut)) })).status, 202);
      assert.equal((await second('GET', at)).headers.range, `0-${cut - 1}`);
      const rest = { headers: { 'content-range': `${cut}-${5 * MIB - 1}` }, body: inPieces(bytes.subarray(cut)) };
      assert.equal((await second('PATCH', at, rest)).status, 202);
      assert.equal((await first('PUT', `${at}?digest=${digest}`, nothing)).status, 201);
      const got = await second('GET', `/v2/shared/blobs/${digest}`);
      assert.equal(got.headers['docker-content-digest'], digest);
      assert(got.body.equals(bytes));
      const lent = await second('POST', `/v2/other/blobs/uploads/?mount=${digest}&from=shared`, nothing);
      assert.equal(lent.status, 201);
      assert.equal((await first('DELETE', `/v2/shared/blobs/${digest}`)).status, 202);
      assert.equal((await second('HEAD', `/v2/shared/blobs/${digest}`)).status, 404);
      assert((await first('GET', `/v2/other/blobs/${digest}`)).body.equals(bytes));
    });
  });
});
