import { createServer, request, type Server } from 'node:http';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openServerBlobStore } from '@ingot/core/blob/server';
import { createServerContentStore } from '@ingot/core/content/server-contents';
import { isIngotError } from '@ingot/core/errors';
import { pull } from '@ingot/core/pull';
import { openHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANARY, openVault, VAULT, type Vault } from './vault.ts';

/** What somebody between a model server and its registry makes of an answer; undefined: nothing. */
type Poison = (
  path: string,
  body: Buffer,
) => { readonly status?: number; readonly type?: string; readonly body: Buffer } | undefined;

let vault: Vault;
let proxy: Server;
let poison: Poison = () => undefined;
let url = '';

beforeAll(async () => {
  vault = await openVault();
  const { hostname, port } = new URL(vault.server.url);
  proxy = createServer((incoming, outgoing) => {
    const { method, headers, url: path = '' } = incoming;
    const forward = request(
      { hostname, port, path, method, headers: { ...headers, host: `127.0.0.1:${port}` } },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('end', () => {
          const body = Buffer.concat(pieces);
          const made = method === 'HEAD' ? undefined : poison(path, body);
          if (made === undefined) outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(body);
          else {
            const { 'content-length': _, 'transfer-encoding': __, 'content-range': ___, ...rest } = answer.headers;
            const type = made.type === undefined ? {} : { 'content-type': made.type };
            outgoing.writeHead(made.status ?? answer.statusCode ?? 200, { ...rest, ...type }).end(made.body);
          }
        });
      },
    );
    forward.on('error', () => outgoing.destroy());
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}, 30_000);
afterAll(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await vault[Symbol.asyncDispose]();
});

/** Pulls by way of the proxy; gives what lies at the target then, or the code of the failure and what it left there. */
async function pulled(): Promise<{ readonly code?: string; readonly files: readonly string[]; readonly text: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-poisoned-'));
  const output = join(directory, 'out');
  try {
    const options = { env: {}, authorization: `Bearer ${vault.admin}` };
    const contents = createServerContentStore(await openServerBlobStore(url, options), {});
    const registry = await openHttpRegistry(url, { ...options, retry: { attempts: 1 } });
    await pull(`${VAULT}@production`, { registry, contents, output });
    return { files: await readdir(output), text: await readFile(join(output, 'model.bin'), 'utf8') };
  } catch (error) {
    if (!isIngotError(error)) throw error;
    return { code: error.code, files: await readdir(output).catch(() => []), text: '' };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const PAGE = { status: 200, type: 'text/html', body: Buffer.from('<html><title>Sign in</title></html>') };
const isPack = (path: string): boolean => path.includes('/blobs/packs/');
const other = (body: Buffer): Buffer => Buffer.from(body.map((byte, at) => (at % 97 === 5 ? byte ^ 1 : byte)));

describe('a registry that somebody answers for', () => {
  it('gives what was pushed while nobody meddles', async () => {
    expect(await pulled()).toEqual({ files: ['model.bin'], text: CANARY.repeat(1000) });
  });

  it.each<[string, Poison]>([
    ['other bytes', (path, body) => (isPack(path) ? { body: other(body) } : undefined)],
    ['fewer bytes', (path, body) => (isPack(path) ? { body: body.subarray(0, body.byteLength / 2) } : undefined)],
    ['more bytes', (path, body) => (isPack(path) ? { body: Buffer.concat([body, body]) } : undefined)],
    ['no bytes', (path) => (isPack(path) ? { body: Buffer.alloc(0) } : undefined)],
    ['a page for contents', (path) => (isPack(path) ? PAGE : undefined)],
    ['a page for facts', (path) => (isPack(path) ? undefined : PAGE)],
    [
      'no JSON for facts',
      (path) =>
        path.includes('/resolve') || path.includes('/models/') ? { body: Buffer.from('{"number":') } : undefined,
    ],
    [
      'the digest of something else',
      (path, body) =>
        isPack(path)
          ? undefined
          : { body: Buffer.from(body.toString().replace(/sha256:[0-9a-f]{8}/g, 'sha256:00000000')) },
    ],
  ])('with %s is found out, and nothing of it is kept', async (_, made) => {
    poison = made;
    try {
      const { code, files } = await pulled();
      expect(code).toMatch(
        /^(?:integrity|unavailable|content-not-found|version-not-found|invalid-config|store-not-found|not-found)$/,
      );
      expect(files).toEqual([]);
    } finally {
      poison = () => undefined;
    }
  });
});
