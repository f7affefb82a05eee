import type { Permission } from '@ingot/registry/access/identity';
import type { GuardedRoute } from '@ingot/registry/http/route-access';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TrialServer, trialServer, withToken } from '../trial-server.ts';

/** Answered to anybody: health, what this is, and signing in. Another public route is a decision, made here. */
const PUBLIC = [
  'GET /healthz',
  'GET /readyz',
  'GET /api/v1',
  'GET /api/v1/openapi.json',
  'GET /api/v1/sessions/methods',
  'GET /api/v1/sessions/oidc',
  'GET /api/v1/sessions/oidc/callback',
  'POST /api/v1/sessions',
  'POST /api/v1/sessions/device',
  'POST /api/v1/sessions/device/token',
];
/** Of other protocols: says that it lives, or what it is; or the address itself is signed, for a while and one artifact. */
const PUBLIC_OF_PROTOCOLS = [
  'GET /health',
  'GET /version',
  'GET /api/2.0/mlflow/server-info',
  'GET /api/3.0/mlflow/server-info',
  'GET /ajax-api/2.0/mlflow/server-info',
  'GET /ajax-api/3.0/mlflow/server-info',
  'GET /api/2.0/mlflow-artifacts/signed/:token',
  'PUT /api/2.0/mlflow-artifacts/signed/:token',
  // Whoever asks for a token of repositories says in the form who they are.
  'POST /v2/token',
];

const CANARY = 'c4n4ry-of-the-vault';
const MODEL = 'vault/secret';
const ROLES = { reader: 1, pusher: 2, promoter: 3, admin: 4 } as const;
const NEEDS: Readonly<Record<Permission, number>> = { read: 1, push: 2, promote: 3, admin: 4 };
const FAST = { identity: { perSecond: 1e6, burst: 1e6 }, address: { perSecond: 1e6, burst: 1e6 } };

let server: TrialServer;
const tokens = new Map<string, string>();
const nameOf = ({ method, url }: GuardedRoute): string => `${method} ${url}`;
const listed = (): GuardedRoute[] => server.routes.filter(({ method }) => method !== 'HEAD' && method !== 'OPTIONS');

/** What a caller may fill in that knows the vault's name. */
function pathOf(url: string): string {
  const filled = url
    .replace(/:name\b/g, encodeURIComponent(MODEL))
    .replace(/:alias\b/g, 'production')
    .replace(/:(?:number|version)\b/g, '1')
    .replace(/:[A-Za-z]+(?:\([^)]*\))?/g, 'x')
    .replace(/\*/g, 'x');
  const query = new URLSearchParams({
    name: MODEL,
    model: MODEL,
    ref: MODEL,
    version: '1',
    alias: 'production',
    key: 'k',
  });
  return `${filled}?${query.toString()}`;
}

const BODY = {
  name: MODEL,
  model: MODEL,
  version: '1',
  alias: 'production',
  key: 'k',
  value: 'v',
  number: 1,
  account: 'x',
  role: 'admin',
};

async function call(route: GuardedRoute, token?: string): Promise<{ status: number; text: string }> {
  const { method, url } = route;
  const hasBody = method !== 'GET' && method !== 'DELETE';
  const init = token === undefined ? { method } : withToken(token, method, hasBody ? BODY : undefined);
  const ended = AbortSignal.timeout(5000);
  const response = await server.ask(pathOf(url), { ...init, signal: ended });
  // A stream of events goes on for ever; its head says what matters here.
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    await response.body?.cancel();
    return { status: response.status, text: '' };
  }
  return { status: response.status, text: await response.text() };
}

beforeAll(async () => {
  server = await trialServer({ rates: FAST });
  const admin = server.firstToken;
  const make = async (name: string, role: string, scope: string): Promise<void> => {
    const body = { name, service: true, scopes: [{ role, scope }] };
    const answer: unknown = await (await server.ask('/api/v1/tokens', withToken(admin, 'POST', body))).json();
    tokens.set(name, String(Object(answer).token));
  };
  for (const role of Object.keys(ROLES)) await make(role, role, '*');
  await make('outsider', 'admin', 'other/');
  expect((await server.ask('/api/v1/models', withToken(admin, 'POST', { name: MODEL }))).status).toBe(201);
  const change = withToken(admin, 'PATCH', { description: CANARY, tags: { [CANARY]: CANARY } });
  expect((await server.ask(`/api/v1/models/${encodeURIComponent(MODEL)}`, change)).status).toBe(200);
});

afterAll(() => server[Symbol.asyncDispose]());

describe('every route of the server', () => {
  it('answers 401 without credentials, unless it is on the short list of public ones', async () => {
    const open: string[] = [];
    for (const route of listed()) {
      const { status } = await call(route);
      if (status !== 401) open.push(nameOf(route));
    }
    const allowed = new Set([...PUBLIC, ...PUBLIC_OF_PROTOCOLS]);
    expect(open.filter((name) => !allowed.has(name))).toEqual([]);
    expect(PUBLIC.filter((name) => !open.includes(name))).toEqual([]);
    expect(listed().length).toBeGreaterThan(40);
  });

  it('lets in exactly the roles that have what it needs', async () => {
    const wrong: string[] = [];
    let cells = 0;
    for (const route of listed()) {
      const { access } = route;
      if (typeof access !== 'object' || !('can' in access)) continue;
      for (const [role, rank] of Object.entries(ROLES)) {
        const { status } = await call(route, tokens.get(role));
        const may = rank >= NEEDS[access.can];
        const isIn = status !== 401 && status !== 403;
        if (isIn !== may) wrong.push(`${role} ${nameOf(route)}: ${status}`);
        cells += 1;
      }
    }
    expect(wrong).toEqual([]);
    expect(cells).toBeGreaterThan(60);
  });

  it('tells whoever is admin elsewhere nothing of a model, and changes nothing of it', async () => {
    const { token = '' } = { token: tokens.get('outsider') };
    const before = await history();
    const wrong: string[] = [];
    for (const route of listed()) {
      const { status, text } = await call(route, token);
      if (text.includes(CANARY)) wrong.push(`${nameOf(route)} tells it: ${status}`);
      const { access } = route;
      const isModel =
        typeof access === 'object' && 'on' in access && access.on !== undefined && route.url.includes(':name');
      if (isModel && status !== 404) wrong.push(`${nameOf(route)} answers ${status}: it says that there is something`);
    }
    expect(wrong).toEqual([]);
    expect(await history()).toBe(before);
  });

  it('fails with no 5xx for anybody', async () => {
    const failed: string[] = [];
    for (const route of listed()) {
      const { status } = await call(route, tokens.get('reader'));
      if (status >= 500 && status !== 503) failed.push(`${nameOf(route)}: ${status}`);
    }
    expect(failed).toEqual([]);
  });
});

async function history(): Promise<string> {
  const path = `/api/v1/models/${encodeURIComponent('vault/secret')}/history`;
  const response = await server.ask(path, withToken(server.firstToken));
  return response.status === 200 ? response.text() : `gone: ${response.status}`;
}
