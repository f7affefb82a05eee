import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseSignInConfig } from '@ingot/registry/access/sign-in-config';
import { type TrialServer, trialServer, withToken } from './trial-server.ts';

// The provider names no types of its own; what is used of it stands here.
interface Provider {
  callback(): (request: unknown, response: unknown) => void;
}
type ProviderClass = new (issuer: string, options: object) => Provider;

let provider: Server;
let issuer = '';
let server: TrialServer;

/** A browser that keeps cookies by host, and signs in as whoever it is told to be. */
class Browser {
  readonly #jars = new Map<string, Map<string, string>>();
  readonly #login: string;

  constructor(login: string) {
    this.#login = login;
  }

  jar(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = this.#jars.get(host) ?? new Map<string, string>();
    this.#jars.set(host, jar);
    return jar;
  }

  async ask(url: string, form?: Record<string, string>): Promise<Response> {
    const jar = this.jar(url);
    const headers: Record<string, string> = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') };
    const body = form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) };
    const response = await fetch(url, { redirect: 'manual', headers, ...body });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Follows redirects and fills in the provider's forms until an address that `stop` takes, or a page without a form. */
  async follow(
    start: string,
    stop: (url: string) => boolean,
  ): Promise<{ url: string; response: Response; html: string }> {
    let url = start;
    let form: Record<string, string> | undefined;
    for (let step = 0; step < 30; step += 1) {
      const response = await this.ask(url, form);
      form = undefined;
      const location = response.headers.get('location');
      if (location !== null) {
        url = new URL(location, url).href;
        if (stop(url)) return { url, response, html: '' };
        continue;
      }
      const html = await response.text();
      const action = /<form[^>]*action="([^"]+)"/.exec(html)?.[1];
      if (action === undefined) return { url, response, html };
      const inputs = [...html.matchAll(/<input[^>]*name="([^"]+)"(?:[^>]*value="([^"]*)")?/g)];
      form = Object.fromEntries(inputs.map(([, name = '', value = '']) => [name, value]));
      if ('login' in form) Object.assign(form, { login: this.#login, password: 'x' });
      if ('xsrf' in form && !('login' in form)) form.confirm = 'yes';
      url = new URL(action.replaceAll('&amp;', '&'), url).href;
    }
    throw new Error('the provider goes round in circles');
  }
}

beforeAll(async () => {
  const name = 'oidc-provider';
  const { default: OidcProvider }: { default: ProviderClass } = await import(name);
  provider = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  issuer = `http://127.0.0.1:${port}`;
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port: own } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const publicUrl = `http://127.0.0.1:${own}`;
  const made = new OidcProvider(issuer, {
    clients: [
      {
        client_id: 'ingot',
        client_secret: 'hush',
        redirect_uris: [`${publicUrl}/api/v1/sessions/oidc/callback`],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
    ],
    features: { deviceFlow: { enabled: true } },
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: id === 'ana' ? ['ml', 'all'] : ['all'] }),
    }),
  });
  const callback = made.callback();
  handle = (request, response) => callback(request, response);
  const rules = [
    { claims: { groups: 'ml' }, grants: [{ role: 'admin', scope: '*' }] },
    { claims: { groups: 'all' }, grants: [{ role: 'reader', scope: 'public/' }] },
  ];
  const config = { oidc: { issuer, clientId: 'ingot', publicUrl, rules } };
  server = await trialServer({
    host: '127.0.0.1',
    port: own,
    signIn: parseSignInConfig(JSON.stringify(config), 'hush'),
  });
});

let handle: (request: unknown, response: unknown) => void = () => {};

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
});

it('a browser signs in by authorization code with PKCE, and may what its claims say', async () => {
  const browser = new Browser('ana');
  const { url } = await browser.follow(`${server.url}/api/v1/sessions/oidc?return_to=/models`, (to) =>
    to.endsWith('/models'),
  );
  expect(url).toBe(`${server.url}/models`);
  const session = browser.jar(server.url).get('ingot_session') ?? '';
  const cookie = `ingot_session=${session}`;
  const who: unknown = await (await server.ask('/api/v1/sessions/current', { headers: { cookie } })).json();
  expect(who).toMatchObject({ name: 'ana', kind: 'user', authenticated: true });
  expect((await server.ask('/api/v1/accounts', { headers: { cookie } })).status).toBe(200);
  const other = new Browser('zoe');
  await other.follow(`${server.url}/api/v1/sessions/oidc`, (to) => to === `${server.url}/`);
  const zoe = { headers: { cookie: `ingot_session=${other.jar(server.url).get('ingot_session')}` } };
  expect((await server.ask('/api/v1/models', zoe)).status).toBe(200);
  expect((await server.ask('/api/v1/accounts', zoe)).status).toBe(403);
});

it('a sign-in that comes back to another browser, or twice, does not count; and leads nowhere else', async () => {
  const victim = new Browser('ana');
  const { url } = await victim.follow(`${server.url}/api/v1/sessions/oidc?return_to=//evil.example`, (to) =>
    to.includes('/callback'),
  );
  expect((await server.ask(url.slice(server.url.length))).status).toBe(401);
  const again = await victim.ask(url);
  // It was tried, and by another browser: it is used up for everybody.
  expect([302, 401]).toContain(again.status);
  if (again.status === 302) expect(again.headers.get('location')).toBe('/');
  expect((await victim.ask(url)).status).toBe(401);
});

it('a command line signs in by a code that is typed in a browser, and gets a token', async () => {
  const post = async (path: string, body: object) =>
    server.ask(path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  const started = Object(await (await post('/api/v1/sessions/device', {})).json());
  expect(started.userCode).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
  const ask = () => post('/api/v1/sessions/device/token', { handle: started.handle, name: 'laptop' });
  expect((await ask()).status).toBe(202);
  const browser = new Browser('ana');
  await browser.follow(started.verificationUriComplete, () => false);
  const done = await ask();
  expect(done.status).toBe(201);
  const { token, account } = Object(await done.json());
  expect(account).toBe('ana');
  expect((await server.ask('/api/v1/accounts', withToken(token))).status).toBe(200);
  expect((await ask()).status).toBe(401);
  const unknown = await post('/api/v1/sessions/device/token', { handle: 'x'.repeat(43), name: 'laptop' });
  expect(unknown.status).toBe(401);
});
