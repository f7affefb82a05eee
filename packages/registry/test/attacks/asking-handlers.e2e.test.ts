import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withToken } from '../trial-server.ts';
import { CANARY, openVault, ROLES, type Somebody, VAULT, type Vault } from './vault.ts';

/** What a request to a route that asks the authorizer itself needs, and where. */
interface Asking {
  /** As the first of its addresses was declared. */
  readonly route: string;
  readonly needs: (typeof ROLES)[number];
  readonly on: 'server' | 'vault';
  /** The request; it succeeds for whoever may. `n` differs from call to call. */
  readonly path: (vault: Vault, n: number) => string;
  readonly body?: (vault: Vault, n: number) => unknown;
  /** What an admin does before each call. */
  readonly before?: (vault: Vault, n: number) => Promise<unknown>;
  /** Everybody is answered; only who may read is told what is in the vault. */
  readonly tells?: (vault: Vault) => string;
  /** Whoever may is refused all the same, later and for another reason. Default: they are answered 2xx. */
  readonly admits?: number;
}

let vault: Vault;
let calls = 0;
const ids = new Map<number, string>();

const FILES = '/api/2.0/mlflow-artifacts';
const artifacts = ({ run }: Vault): string => `0/${run}/artifacts`;
const blob = ({ pack }: Vault): string => `/api/v1/blobs/packs/${pack}.pack`;
const upload = ({ pack }: Vault): string => pack.split('/')[0] ?? '';
const put = (path: string): Promise<Response> =>
  vault.server.ask(path, { method: 'PUT', headers: { authorization: `Bearer ${vault.admin}` }, body: 'x' });

async function begun({ ask }: Vault, n: number): Promise<void> {
  const answer = await ask(`${FILES}/mpu/create/${artifacts(vault)}`, 'POST', { path: `part-${n}`, num_parts: 1 });
  ids.set(n, String(answer.upload_id));
  const [first] = [answer.credentials].flat();
  const { etag } = await partSent(String(Object(first).url));
  ids.set(-n, etag);
}

async function partSent(url: string): Promise<{ readonly etag: string }> {
  const { pathname } = new URL(url);
  const answer = await vault.server.ask(pathname, { method: 'PUT', body: 'part' });
  return { etag: answer.headers.get('etag') ?? '' };
}

const asAdmin = (method: string, path: string, body?: string): Promise<Response> =>
  vault.server.ask(path, {
    method,
    headers: { authorization: `Bearer ${vault.admin}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
  });

const ASKING: readonly Asking[] = [
  { route: 'GET /v2/*', needs: 'reader', on: 'vault', path: () => `/v2/${VAULT}/tags/list` },
  { route: 'GET /v2/*', needs: 'reader', on: 'vault', path: () => `/v2/${VAULT}/manifests/1` },
  {
    route: 'PUT /v2/*',
    needs: 'pusher',
    on: 'vault',
    path: (_, n) => `/v2/${VAULT}/manifests/tag-${n}`,
    body: (_, n) => ({ any: n }),
  },
  { route: 'POST /v2/*', needs: 'pusher', on: 'vault', path: () => `/v2/${VAULT}/blobs/uploads/` },
  {
    route: 'PATCH /v2/*',
    needs: 'pusher',
    on: 'vault',
    before: async (_, n) => {
      const begun = await asAdmin('POST', `/v2/${VAULT}/blobs/uploads/`);
      ids.set(n, begun.headers.get('location') ?? '');
    },
    path: (_, n) => ids.get(n) ?? `/v2/${VAULT}/blobs/uploads/none`,
    body: () => ({ any: 'bytes' }),
  },
  {
    route: 'DELETE /v2/*',
    needs: 'admin',
    on: 'vault',
    before: async (_, n) => {
      const pushed = await asAdmin('PUT', `/v2/${VAULT}/manifests/gone-${n}`, `{"gone":${n}}`);
      ids.set(n, pushed.headers.get('docker-content-digest') ?? '');
    },
    path: (_, n) => `/v2/${VAULT}/manifests/${ids.get(n)}`,
  },
  {
    route: 'DELETE /v2/*',
    needs: 'pusher',
    on: 'vault',
    before: (_, n) => asAdmin('PUT', `/v2/${VAULT}/manifests/less-${n}`, '{"less":1}'),
    path: (_, n) => `/v2/${VAULT}/manifests/less-${n}`,
  },
  {
    route: 'POST /api/v1/models',
    needs: 'pusher',
    on: 'vault',
    path: () => '/api/v1/models',
    body: () => ({ name: VAULT }),
  },
  {
    route: 'POST /api/v1/models/:name/versions/:version/approvals',
    needs: 'promoter',
    on: 'vault',
    path: () => `/api/v1/models/${VAULT}/versions/1/approvals`,
    body: () => ({ alias: 'production' }),
  },
  {
    route: 'PUT /api/v1/accounts/:account/password',
    needs: 'admin',
    on: 'server',
    path: () => '/api/v1/accounts/zoe/password',
    body: () => ({ password: 'another horse battery' }),
  },
  {
    route: 'POST /api/v1/grants',
    needs: 'admin',
    on: 'vault',
    path: () => '/api/v1/grants',
    body: () => ({ account: 'zoe', role: 'reader', scope: VAULT }),
  },
  {
    route: 'POST /api/v1/grants/revoke',
    needs: 'admin',
    on: 'vault',
    before: ({ ask }) => ask('/api/v1/grants', 'POST', { account: 'zoe', role: 'reader', scope: VAULT }),
    path: () => '/api/v1/grants/revoke',
    body: () => ({ account: 'zoe', role: 'reader', scope: VAULT }),
  },
  {
    route: 'POST /api/v1/tokens',
    needs: 'admin',
    on: 'server',
    path: () => '/api/v1/tokens',
    body: (_, n) => ({ name: `made-${n}`, service: true, scopes: [{ role: 'admin', scope: '*' }] }),
  },
  {
    route: 'DELETE /api/v1/tokens/:id',
    needs: 'admin',
    on: 'server',
    before: async ({ ask }, n) => {
      const scopes = [{ role: 'reader', scope: '*' }];
      ids.set(n, String((await ask('/api/v1/tokens', 'POST', { name: `t${n}`, service: true, scopes })).id));
    },
    path: (_, n) => `/api/v1/tokens/${ids.get(n)}`,
  },
  {
    route: 'POST /api/v1/pieces',
    needs: 'reader',
    on: 'vault',
    path: () => '/api/v1/pieces',
    body: ({ digest }) => ({ digests: [digest] }),
    tells: ({ pack }) => pack,
  },
  {
    route: 'POST /api/v1/direct',
    needs: 'pusher',
    on: 'vault',
    path: () => '/api/v1/direct',
    body: (_, n) => ({ method: 'PUT', key: `packs/direct${n}/0.pack`, sizeBytes: 100 }),
  },
  {
    route: 'POST /api/v1/direct',
    needs: 'reader',
    on: 'vault',
    path: () => '/api/v1/direct',
    body: ({ pack }) => ({ method: 'GET', key: `packs/${pack}.pack` }),
  },
  {
    route: 'GET /api/v1/blobs',
    needs: 'reader',
    on: 'vault',
    path: (its) => `/api/v1/blobs?prefix=packs/${upload(its)}/`,
    tells: ({ pack }) => pack,
  },
  { route: 'GET /api/v1/blobs/*', needs: 'reader', on: 'vault', path: blob },
  // Whoever may push begins an upload of their own; what is sent here is no pack.
  {
    route: 'PUT /api/v1/blobs/*',
    needs: 'pusher',
    on: 'vault',
    path: (_, n) => `/api/v1/blobs/packs/new${n}/0.pack`,
    body: () => 1,
    admits: 422,
  },
  // An upload is its writer's alone, and what versions rely on is nobody's to delete.
  { route: 'DELETE /api/v1/blobs/*', needs: 'admin', on: 'server', path: blob, admits: 403 },
  {
    route: 'POST /api/2.0/mlflow/registered-models/create',
    needs: 'pusher',
    on: 'vault',
    path: () => '/api/2.0/mlflow/registered-models/create',
    body: () => ({ name: VAULT }),
    admits: 400,
  },
  {
    route: 'GET /api/2.0/mlflow/registered-models/search',
    needs: 'reader',
    on: 'vault',
    path: () => '/api/2.0/mlflow/registered-models/search',
    tells: () => CANARY,
  },
  {
    route: 'GET /api/2.0/mlflow/model-versions/search',
    needs: 'reader',
    on: 'vault',
    path: () => `/api/2.0/mlflow/model-versions/search?filter=${encodeURIComponent(`name='${VAULT}'`)}`,
    tells: () => `"${VAULT}"`,
  },
  {
    route: 'GET /api/2.0/mlflow-artifacts/artifacts',
    needs: 'reader',
    on: 'server',
    path: (its) => `${FILES}/artifacts?path=${artifacts(its)}`,
  },
  {
    route: 'GET /api/2.0/mlflow-artifacts/artifacts',
    needs: 'reader',
    on: 'vault',
    path: ({ modelId }) => `${FILES}/artifacts?path=versions/${modelId}/1`,
  },
  {
    route: 'GET /api/2.0/mlflow-artifacts/artifacts/*',
    needs: 'reader',
    on: 'server',
    path: (its) => `${FILES}/artifacts/${artifacts(its)}/note.txt`,
  },
  {
    route: 'GET /api/2.0/mlflow-artifacts/artifacts/*',
    needs: 'reader',
    on: 'vault',
    path: ({ modelId }) => `${FILES}/artifacts/versions/${modelId}/1/MLmodel`,
  },
  {
    route: 'PUT /api/2.0/mlflow-artifacts/artifacts/*',
    needs: 'pusher',
    on: 'server',
    path: (its, n) => `${FILES}/artifacts/${artifacts(its)}/new-${n}`,
    body: () => 1,
  },
  {
    route: 'DELETE /api/2.0/mlflow-artifacts/artifacts/*',
    needs: 'pusher',
    on: 'server',
    before: (its, n) => put(`${FILES}/artifacts/${artifacts(its)}/old-${n}`),
    path: (its, n) => `${FILES}/artifacts/${artifacts(its)}/old-${n}`,
  },
  {
    route: 'POST /api/2.0/mlflow-artifacts/mpu/create/*',
    needs: 'pusher',
    on: 'server',
    path: (its) => `${FILES}/mpu/create/${artifacts(its)}`,
    body: () => ({ path: 'x.bin', num_parts: 1 }),
  },
  {
    route: 'POST /api/2.0/mlflow-artifacts/mpu/complete/*',
    needs: 'pusher',
    on: 'server',
    before: begun,
    path: (its) => `${FILES}/mpu/complete/${artifacts(its)}`,
    body: (_, n) => ({ path: `part-${n}`, upload_id: ids.get(n), parts: [{ part_number: 1, etag: ids.get(-n) }] }),
  },
  {
    route: 'POST /api/2.0/mlflow-artifacts/mpu/abort/*',
    needs: 'pusher',
    on: 'server',
    before: begun,
    path: (its) => `${FILES}/mpu/abort/${artifacts(its)}`,
    body: (_, n) => ({ path: `part-${n}`, upload_id: ids.get(n) }),
  },
  {
    route: 'GET /api/2.0/mlflow-artifacts/presigned/*',
    needs: 'reader',
    on: 'server',
    path: (its) => `${FILES}/presigned/${artifacts(its)}/note.txt`,
  },
  {
    route: 'GET /api/2.0/mlflow-artifacts/presigned/*',
    needs: 'reader',
    on: 'vault',
    path: ({ modelId }) => `${FILES}/presigned/versions/${modelId}/1/MLmodel`,
  },
  {
    route: 'POST /api/2.0/mlflow/artifacts/presigned-upload-url',
    needs: 'pusher',
    on: 'server',
    path: () => '/api/2.0/mlflow/artifacts/presigned-upload-url',
    body: ({ run }) => ({ run_id: run, path: 'y.bin' }),
  },
  {
    route: 'POST /api/2.0/mlflow/artifacts/presigned-download-url',
    needs: 'reader',
    on: 'server',
    path: () => '/api/2.0/mlflow/artifacts/presigned-download-url',
    body: ({ run }) => ({ run_id: run, path: 'note.txt' }),
  },
];

/** Addresses of MLflow's pages lead to the same as those of its clients. */
const first = (url: string): string => url.replace('/ajax-api/', '/api/').replace('/api/3.0/', '/api/2.0/');

function may({ role, on, aliases }: Somebody, { needs, on: where, route }: Asking): boolean {
  if (on === 'elsewhere' || (where === 'server' && on !== 'server')) return false;
  if (aliases !== undefined) return needs === 'reader' && !route.includes('tokens');
  return ROLES.indexOf(role) >= ROLES.indexOf(needs);
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function call(asking: Asking, url: string, { token }: Somebody): Promise<Answer> {
  calls += 1;
  const n = calls;
  await asking.before?.(vault, n);
  const [method = ''] = asking.route.split(' ');
  const from = first(url).split(/[:*]/)[0] ?? '';
  const path = asking.path(vault, n).replace(from, url.split(/[:*]/)[0] ?? '');
  const answer = await vault.server.ask(path, withToken(token, method, asking.body?.(vault, n)));
  return { status: answer.status, text: await answer.text() };
}

function isRight({ status, text }: Answer, asking: Asking, somebody: Somebody): boolean {
  const { tells, admits, body, path } = asking;
  const isAllowed = may(somebody, asking);
  if (tells !== undefined) return status === 200 && text.includes(tells(vault)) === isAllowed;
  if (isAllowed) return admits === undefined ? status < 300 : status === admits;
  const isSaid = body !== undefined || path(vault, 0).includes(`/${VAULT}/`);
  const isTold = text.includes(CANARY) || (somebody.on === 'elsewhere' && !isSaid && text.includes(`"${VAULT}"`));
  return (status === 403 || status === 404) && !isTold;
}

beforeAll(async () => {
  vault = await openVault();
  await vault.ask('/api/v1/accounts', 'POST', { name: 'zoe', password: 'correct horse battery' });
}, 30_000);
afterAll(() => vault[Symbol.asyncDispose]());

describe('routes whose handlers ask', () => {
  const listed = () =>
    vault.server.routes.filter(
      ({ method, access }) =>
        typeof access === 'object' && 'handler' in access && !['HEAD', 'OPTIONS'].includes(method),
    );

  it('are all in the table below', () => {
    const known = new Set(ASKING.map(({ route }) => route));
    const routes = listed().map(({ method, url }) => `${method} ${first(url)}`);
    expect([...new Set(routes)].filter((route) => !known.has(route))).toEqual([]);
    expect([...known].filter((route) => !routes.includes(route))).toEqual([]);
  });

  it('let in exactly those whose role has what the request needs, and tell nobody else what is there', async () => {
    const wrong: string[] = [];
    let cells = 0;
    for (const { method, url } of listed())
      for (const asking of ASKING.filter(({ route }) => route === `${method} ${first(url)}`))
        for (const somebody of vault.everybody) {
          const answer = await call(asking, url, somebody);
          if (!isRight(answer, asking, somebody))
            wrong.push(
              `${somebody.name} ${method} ${url} (${asking.on}): ${answer.status} ${answer.text.slice(0, 200)}`,
            );
          cells += 1;
        }
    expect(wrong).toEqual([]);
    expect(cells).toBeGreaterThan(300);
  }, 60_000);
});
