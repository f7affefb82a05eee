/** What goes over the line, seen by a server that records requests and answers what it is told. */

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, test } from 'vitest';
import { isIngotError } from '../../errors.ts';
import { bodyOf, collect } from '../bytes.ts';
import { openS3BlobStore } from '../s3.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const run = promisify(execFile);
// Makes the certificate; whoever runs all tests in earnest has it.
const hasOpenssl = process.env.CI === 'true' || spawnSync('openssl', ['version']).status === 0;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Opens a store whose server answers each request with what `answer` gives, and shows what it was asked. */
async function recorded(answer: (seen: Seen, number: number) => Answer, env: Readonly<Record<string, string>> = {}) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void collect(request).then((body) => {
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
      seen.push(one);
      const { status, headers = {}, body: text = '' } = answer(one, seen.length);
      response.writeHead(status, { 'content-length': Buffer.byteLength(text), ...headers }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const store = await openS3BlobStore('s3://models/team', {
    env: {
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      INGOT_S3_PART_MIB: '5',
      ...env,
    },
  });
  return { store, seen };
}

const failure = (code: string) => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`;
const done = (): Answer => ({ status: 200, headers: { etag: '"e"' } });

describe('a request of the S3 store', () => {
  test('to write signs and sends one SHA-256 of the body, with the condition and in one request', async () => {
    const { store, seen } = await recorded(done);
    await store.write('names/a b', {
      sizeBytes: 10,
      open: async function* () {
        yield Buffer.from('hello');
        yield Buffer.from('world');
      },
    });
    assert.equal(seen.length, 1);
    const [put] = seen;
    assert.ok(put);
    const digest = createHash('sha256').update('helloworld').digest();
    assert.equal(`${put.method} ${put.url.split('?')[0]}`, 'PUT /models/team/names/a%20b');
    assert.equal(put.headers['if-none-match'], '*');
    assert.equal(put.headers['x-amz-content-sha256'], digest.toString('hex'));
    assert.equal(put.headers['x-amz-checksum-sha256'], digest.toString('base64'));
    assert.equal(put.headers['content-length'], '10');
    assert.equal(String(put.body), 'helloworld');
    assert.match(put.headers.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=id\//);
  });

  test('to write carries no checksum header where the server does not take it', async () => {
    const { store, seen } = await recorded(done, { INGOT_S3_CHECKSUM: 'none' });
    await store.write('key', bodyOf('x'));
    const names = Object.keys(seen[0]?.headers ?? {});
    assert.deepEqual(
      names.filter((name) => /checksum|trailer/.test(name)),
      [],
    );
    assert.match(String(seen[0]?.headers['x-amz-content-sha256']), /^[0-9a-f]{64}$/);
  });

  test('carries encryption, class and payer as the variables say', async () => {
    const { store, seen } = await recorded(done, {
      INGOT_S3_SSE_KMS_KEY_ID: 'alias/models',
      INGOT_S3_SSE_BUCKET_KEY: 'true',
      INGOT_S3_STORAGE_CLASS: 'STANDARD_IA',
      INGOT_S3_REQUEST_PAYER: 'requester',
    });
    await store.write('small', bodyOf('x'));
    await store.write('pack', bodyOf(Buffer.alloc(200_000)));
    for (const { headers } of seen) {
      assert.equal(headers['x-amz-server-side-encryption'], 'aws:kms');
      assert.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], 'alias/models');
      assert.equal(headers['x-amz-server-side-encryption-bucket-key-enabled'], 'true');
      assert.equal(headers['x-amz-request-payer'], 'requester');
    }
    assert.deepEqual(
      seen.map(({ headers }) => headers['x-amz-storage-class']),
      [undefined, 'STANDARD_IA'],
    );
  });

  test('carries the customer’s key when it writes, looks and reads', async () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const { store, seen } = await recorded(({ method }) => (method === 'GET' ? { status: 200, body: 'x' } : done()), {
      INGOT_S3_SSE_C_KEY: key,
    });
    await store.write('key', bodyOf('x'));
    await store.stat('key');
    await collect(store.read('key'));
    assert.equal(seen.length, 3);
    for (const { headers } of seen) {
      assert.equal(headers['x-amz-server-side-encryption-customer-key'], key);
      assert.equal(headers['x-amz-server-side-encryption-customer-algorithm'], 'AES256');
    }
  });

  test('is not signed where the store is anonymous', async () => {
    const { store, seen } = await recorded(() => ({ status: 200, body: 'public' }), { INGOT_S3_ANONYMOUS: '1' });
    assert.equal(String(await collect(store.read('key'))), 'public');
    assert.equal(seen[0]?.headers.authorization, undefined);
  });

  test('that meets another conditional write looks, and tries again while the key is free', async () => {
    const { store, seen } = await recorded(({ method }, number) => {
      if (method === 'HEAD') return { status: 404 };
      return number <= 1 ? { status: 409, body: failure('ConditionalRequestConflict') } : done();
    });
    assert.equal(await store.write('key', bodyOf('x')), 'created');
    assert.deepEqual(
      seen.map(({ method }) => method),
      ['PUT', 'HEAD', 'PUT'],
    );
  });

  test('that meets another conditional write says exists when that one won', async () => {
    const { store } = await recorded(({ method }) =>
      method === 'HEAD' ? done() : { status: 409, body: failure('ConditionalRequestConflict') },
    );
    assert.equal(await store.write('key', bodyOf('x')), 'exists');
  });

  test('goes out once, however it fails', async () => {
    const { store, seen } = await recorded(() => ({ status: 503, body: failure('SlowDown') }));
    await assert.rejects(collect(store.read('key')), (error) => isIngotError(error, 'unavailable'));
    assert.equal(seen.length, 1);
  });
});

describe('a way to S3', () => {
  test('leads through the proxy that is set', async () => {
    const asked: string[] = [];
    const proxy = createServer().on('connect', ({ url = '' }, socket) => {
      asked.push(url);
      socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    closing.push(async () => void (await new Promise((resolve) => proxy.close(resolve))));
    const address = proxy.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL: 'https://s3.invalid:8443' };
    const proxied = await openS3BlobStore('s3://models', { env: { ...env, HTTPS_PROXY: `http://127.0.0.1:${port}` } });
    await assert.rejects(proxied.stat('key'), (error) => isIngotError(error, 'unavailable'));
    assert.deepEqual(asked, ['s3.invalid:8443']);
  });

  test.skipIf(!hasOpenssl)(
    'with TLS trusts the certificates of AWS_CA_BUNDLE, and says so where one is not trusted',
    async () => {
      const home = await mkdtemp(join(tmpdir(), 'ingot-s3-tls-'));
      closing.push(() => rm(home, { recursive: true }));
      const [key, cert] = [join(home, 'key.pem'), join(home, 'cert.pem')];
      const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
      await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject]);
      const server = createSecureServer({ key: await readFile(key), cert: await readFile(cert) }, (_, response) => {
        response.writeHead(200, { 'content-length': 5 }).end('hello');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closing.push(async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const env = {
        AWS_ACCESS_KEY_ID: 'id',
        AWS_SECRET_ACCESS_KEY: 's',
        AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`,
      };
      const trusting = await openS3BlobStore('s3://models', { env: { ...env, AWS_CA_BUNDLE: cert } });
      assert.equal(String(await collect(trusting.read('key'))), 'hello');
      const strict = await openS3BlobStore('s3://models', { env });
      await assert.rejects(
        strict.stat('key'),
        (error) => isIngotError(error, 'unavailable') && error.hint === 'AWS_CA_BUNDLE=/path/to/ca.pem',
      );
    },
  );
});

describe('an answer to the S3 store', () => {
  test('from another region says which', async () => {
    const { store } = await recorded(() => ({
      status: 301,
      headers: { 'x-amz-bucket-region': 'eu-west-3' },
      body: failure('PermanentRedirect'),
    }));
    for (const work of [
      () => collect(store.read('key')),
      () => store.stat('key'),
      () => store.write('key', bodyOf('x')),
    ])
      await assert.rejects(
        work,
        (error) => isIngotError(error, 'invalid-config') && error.hint === 'AWS_REGION=eu-west-3',
      );
  });

  test('that is a web page is unavailable, not an empty listing', async () => {
    const { store } = await recorded(() => ({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: '<html><body>Log in</body>',
    }));
    await assert.rejects(collectKeys(store.list('')), (error) => isIngotError(error, 'unavailable'));
  });

  test('that is another range, or the whole, is refused', async () => {
    const { store } = await recorded(() => ({ status: 200, body: 'the whole' }));
    await assert.rejects(collect(store.read('key', { range: { start: 2, end: 4 } })), (error) =>
      isIngotError(error, 'unexpected'),
    );
    const other = await recorded(() => ({ status: 206, headers: { 'content-range': 'bytes 0-1/9' }, body: 'th' }));
    await assert.rejects(collect(other.store.read('key', { range: { start: 2, end: 4 } })), (error) =>
      isIngotError(error, 'unexpected'),
    );
  });

  test('that fails a completion after it said 200 ends the upload and is unavailable', async () => {
    const { store, seen } = await recorded(({ method, url }) => {
      if (method === 'HEAD') return { status: url.startsWith('/models/team') ? 404 : 200 };
      if (method === 'POST' && url.includes('uploads'))
        return {
          status: 200,
          body: '<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>',
        };
      if (method === 'POST') return { status: 200, body: failure('InternalError') };
      return done();
    });
    await assert.rejects(store.write('big', bodyOf(Buffer.alloc(22 * 1024 * 1024))), (error) =>
      isIngotError(error, 'unavailable'),
    );
    assert.equal(seen.at(-1)?.method, 'DELETE');
    assert.equal(seen.filter(({ method }) => method === 'PUT').length, 5);
  });
});

async function collectKeys(entries: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of entries) keys.push(key);
  return keys;
}
