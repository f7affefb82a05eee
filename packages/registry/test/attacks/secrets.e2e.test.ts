import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '@ingot/core/json';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withToken } from '../trial-server.ts';
import { openVault, VAULT, type Vault } from './vault.ts';

const PASSWORD = 'c4n4ry horse battery';
let vault: Vault;

beforeAll(async () => {
  vault = await openVault();
}, 30_000);
afterAll(() => vault[Symbol.asyncDispose]());

const sent = (token: string, path: string, body: unknown, headers: Record<string, string> = {}, method = 'POST') => {
  const init = withToken(token, method, body);
  return vault.server.ask(path, { ...init, headers: { ...Object(init.headers), ...headers } });
};

async function entries(): Promise<readonly string[]> {
  const found = await readdir(vault.server.directory, { recursive: true });
  return [vault.server.directory, ...found.map((name) => join(vault.server.directory, name))];
}

describe('a key that makes a write repeatable', () => {
  it('tells one token of an account nothing that another of it was answered', async () => {
    const { server, ask, admin } = vault;
    await ask('/api/v1/accounts', 'POST', { name: 'ana', password: PASSWORD, grants: [{ role: 'admin', scope: '*' }] });
    const wide = await ask('/api/v1/tokens', 'POST', { name: 'wide', account: 'ana' });
    const scopes = [{ role: 'pusher', scope: 'other/' }];
    const narrow = await ask('/api/v1/tokens', 'POST', { name: 'narrow', account: 'ana', scopes });
    const change = { name: VAULT };
    const key = { 'idempotency-key': 'one-for-both' };
    const first = await sent(String(wide.token), '/api/v1/models', change, key);
    expect(first.status).toBe(200);
    const second = await sent(String(narrow.token), '/api/v1/models', change, key);
    expect(second.status).toBe(403);
    expect(second.headers.get('idempotent-replayed')).toBeNull();
    const none = await sent(String(narrow.token), '/api/v1/models', { name: 'team/none' });
    expect([none.status, (await none.text()).replaceAll('team/none', VAULT)]).toEqual([403, await second.text()]);
    expect((await sent(String(wide.token), '/api/v1/models', change, key)).headers.get('idempotent-replayed')).toBe(
      'true',
    );
    expect((await server.ask('/api/v1/models', withToken(admin))).status).toBe(200);
  });

  it('leaves no quick digest of a password behind', async () => {
    const body = { name: 'ben', password: PASSWORD, grants: [] };
    const path = '/api/v1/accounts';
    expect((await sent(vault.admin, path, body, { 'idempotency-key': 'with-a-password' })).status).toBe(201);
    const digest = createHash('sha256')
      .update(`POST ${path}\n${canonicalJson(body)}`)
      .digest('base64url');
    const files = await Promise.all((await entries()).map((path) => readFile(path, 'latin1').catch(() => '')));
    expect(files.some((text) => text.includes('with-a-password'))).toBe(true);
    expect(files.filter((text) => text.includes(digest) || text.includes(PASSWORD))).toEqual([]);
  });
});

describe('what was let in', () => {
  it('hears no more once its token is revoked, and its stream ends', async () => {
    const { server, ask } = vault;
    const made = await ask('/api/v1/tokens', 'POST', {
      name: 'listener',
      service: true,
      scopes: [{ role: 'reader', scope: '*' }],
    });
    const stream = await server.ask('/api/v1/events', withToken(String(made.token)));
    expect(stream.status).toBe(200);
    const texts: string[] = [];
    const read = (async () => {
      for await (const chunk of stream.body ?? []) texts.push(Buffer.from(chunk).toString());
    })();
    await ask(`/api/v1/models/${VAULT}`, 'PATCH', { description: 'heard' });
    await expect.poll(() => texts.join('')).toContain('event: model-updated');
    const heard = texts.length;
    await ask(`/api/v1/tokens/${String(made.id)}`, 'DELETE');
    await ask(`/api/v1/models/${VAULT}`, 'PATCH', { description: 'not heard' });
    await read;
    expect(texts.slice(heard).join('')).not.toContain('event:');
  });
});

describe("the server's own files", () => {
  it('are for its user alone, also those it works with', async () => {
    const open: string[] = [];
    for (const path of await entries()) {
      const { mode } = await stat(path);
      if ((mode & 0o077) !== 0) open.push(`${path} ${(mode & 0o777).toString(8)}`);
    }
    expect(open).toEqual([]);
  });

  it('and what it logs hold no token, whole or in part, and no signed address', async () => {
    const { server, everybody, run, ask, admin } = vault;
    const signed = await ask('/api/2.0/mlflow/artifacts/presigned-download-url', 'POST', {
      run_id: run,
      path: 'note.txt',
    });
    const { pathname } = new URL(String(signed.presigned_url));
    expect((await server.ask(pathname)).status).toBe(200);
    await server.ask(`${pathname}x`);
    for (const { token } of everybody) {
      await server.ask(`/api/v1/models?token=${token}`);
      await server.ask(`/nothing/${token}`, withToken(token));
      await server.ask('/api/v1/models', withToken(`${token}x`));
    }
    await ask('/api/v1/audit/events');
    const files = await Promise.all((await entries()).map((path) => readFile(path, 'latin1').catch(() => '')));
    const said = [...files, ...server.logged].join('\n');
    for (const secret of [admin, ...everybody.map(({ token }) => token)]) expect(said).not.toContain(secret.slice(20));
    expect(said).not.toContain(pathname.slice(-40));
  });
});

it('nothing that is sent may be taken for a page', async () => {
  const { server, admin, run } = vault;
  for (const path of [
    '/healthz',
    '/nothing',
    '/api/v1/models',
    `/api/v1/models/${VAULT}`,
    '/api/2.0/mlflow/registered-models/search',
    `/api/2.0/mlflow/registered-models/get?name=<script>`,
    `/api/2.0/mlflow-artifacts/artifacts/0/${run}/artifacts/note.txt`,
  ]) {
    const { headers } = await server.ask(path, withToken(admin));
    expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    expect(headers.get('content-type'), path).not.toMatch(/html|svg|xml/);
    expect(headers.get('access-control-allow-origin'), path).toBeNull();
  }
});
