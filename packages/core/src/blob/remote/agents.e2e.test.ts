import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { collect } from '../bytes.ts';
import { openHttpBlobStore } from '../http.ts';
import { openWebdavBlobStore } from '../webdav.ts';
import { httpsAgent } from './agents.ts';

const home = mkdtempSync(join(tmpdir(), 'ingot-agents-'));
const certificate = join(home, 'ca.pem');
const asked: string[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

let origin = '';
let proxy = '';

beforeAll(async () => {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  const files = ['-keyout', join(home, 'key.pem'), '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject], {
    stdio: 'ignore',
  });
  const secure = createSecureServer(
    { key: readFileSync(join(home, 'key.pem')), cert: readFileSync(certificate) },
    (_, reply) => reply.end('from afar'),
  );
  origin = `127.0.0.1:${await listen(secure)}`;
  const tunnel = createServer().on('connect', (request, client) => {
    asked.push(String(request.url));
    const [host, port] = String(request.url).split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) socket.on('error', () => [client, upstream].map((one) => one.destroy()));
  });
  proxy = `http://127.0.0.1:${await listen(tunnel)}`;
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true });
});

const readFrom = async (env: Record<string, string>): Promise<string> => {
  asked.length = 0;
  const store = await openHttpBlobStore(`https://${origin}/store`, { env });
  return String(await collect(store.read('some.bin')));
};

describe('connections over TLS', () => {
  test('trust whom NODE_EXTRA_CA_CERTS names, besides the usual ones', async () => {
    assert.equal(await readFrom({ NODE_EXTRA_CA_CERTS: certificate }), 'from afar');
    await assert.rejects(readFrom({}), { code: 'unavailable', retryable: false });
    await assert.rejects(readFrom({ NODE_EXTRA_CA_CERTS: join(home, 'gone.pem') }), {
      code: 'invalid-config',
      message: /gone/,
    });
  });

  test('go through the proxy that HTTPS_PROXY names, unless NO_PROXY leaves the host out', async () => {
    const env = { NODE_EXTRA_CA_CERTS: certificate, HTTPS_PROXY: proxy };
    assert.equal(await readFrom(env), 'from afar');
    assert.deepEqual(asked, [origin]);
    assert.equal(await readFrom({ ...env, NO_PROXY: '127.0.0.1' }), 'from afar');
    assert.deepEqual(asked, []);
    const dav = await openWebdavBlobStore(`webdavs://${origin}/store`, { env });
    await dav.stat('x').catch(() => undefined);
    assert.deepEqual(asked, [origin]);
  });

  test('say which proxy is no address, without its password, and trust AWS_CA_BUNDLE where that is named', async () => {
    const env = { HTTPS_PROXY: 'me:hunter2@proxy.example:3128' };
    await assert.rejects(httpsAgent({ endpoint: 'https://storage.example', env }, {}), {
      code: 'invalid-config',
      message: 'HTTPS_PROXY=***@proxy.example:3128 is not an http(s) address',
    });
    writeFileSync(join(home, 'aws.pem'), readFileSync(certificate));
    const trust = ['AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'];
    const agent = await httpsAgent({ endpoint: 'https://x', env: { AWS_CA_BUNDLE: join(home, 'aws.pem') }, trust }, {});
    assert.equal(String(agent.options.ca).includes(readFileSync(certificate, 'utf8')), true);
  });
});
