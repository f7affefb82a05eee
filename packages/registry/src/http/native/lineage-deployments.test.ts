import { parseModelName } from '@ingot/core/ref';
import { draftOf } from '@ingot/core/registry/conformance/case';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Authorizer } from '../../access/identity.ts';
import { type DeploymentChange, Deployments } from '../../deployments/deployments.ts';
import { type TrialApp, trialApp } from '../testing/registry-app.ts';
import { deploymentRoutes } from './deployments-routes.ts';
import { nativeApi } from './native-api.ts';
import { NATIVE_ROUTES } from './native-routes.ts';

const HIDDEN = 'secret/model';
const authorizer: Authorizer = {
  may: (_, __, target) => target.kind === 'model' && target.model !== HIDDEN,
  check: () => {},
};

let trial: TrialApp;
let clock = Date.parse('2026-05-10T10:00:00.000Z');
const changes: DeploymentChange[] = [];
const now = (): Date => new Date(clock);

async function get(path: string) {
  const answer = await trial.app.inject({ url: `/api/v1${path}` });
  return { status: answer.statusCode, body: answer.json() };
}

async function report(body: object) {
  const answer = await trial.app.inject({ method: 'POST', url: '/api/v1/deployments/reports', payload: body });
  return { status: answer.statusCode, body: answer.json() };
}

const server = (id: string) => ({
  id: `server-${id}`,
  host: 'box',
  address: 'http://box:8080',
  release: '0.1.0',
  startedAt: '2026-05-10T09:59:00.000Z',
});

beforeAll(async () => {
  trial = await trialApp({
    now,
    authorizer,
    protocols: [
      nativeApi([
        ...NATIVE_ROUTES,
        (app, services) => {
          const deployments = new Deployments({ database: services.database, now });
          deployments.subscribe((change) => changes.push(change));
          return deploymentRoutes(deployments)(app, services);
        },
      ]),
    ],
  });
  const { registry } = trial.services;
  const publish = async (
    name: string,
    content: string,
    more: Parameters<typeof draftOf>[1] = {},
    aliases: string[] = [],
  ) => {
    await registry.ensureModel(parseModelName(name));
    return registry.publish(parseModelName(name), draftOf(content, more), { aliases });
  };
  const data = [{ name: 'customers', digest: 'sha256:77' }];
  await publish('base', 'b1', { lineage: { run: 'r0' } }, ['production']);
  await publish('churn', 'c1', {
    lineage: {
      data,
      run: 'r1',
      git: { commit: '4f1c2abcdef0123', dirty: true },
      parents: ['base@production', 's3://b/x'],
    },
    environment: { python: '3.11.7', requirements: ['numpy==2.0'] },
    metrics: { auc: 0.9 },
  });
  await publish('base', 'b2', {}, ['production']);
  await publish('churn', 'c2', { lineage: { parents: ['churn:1'] }, metrics: { auc: 0.95 } });
  await publish('wine', 'w1', { lineage: { data } });
  await publish(HIDDEN, 's1', { lineage: { data, parents: ['churn:1'] } });
});
afterAll(() => trial[Symbol.asyncDispose]());

describe('GET /versions', () => {
  it('finds, sorts and pages', async () => {
    const { body } = await get(
      `/versions?filter=${encodeURIComponent('name = churn metrics.auc > 0.8')}&sort=-metrics.auc&limit=1`,
    );
    expect(body.items).toMatchObject([{ model: 'churn', number: 2, metrics: { auc: 0.95 }, aliases: [] }]);
    const rest = await get(
      `/versions?filter=${encodeURIComponent('name = churn metrics.auc > 0.8')}&sort=-metrics.auc&limit=1&cursor=${body.next}`,
    );
    expect(rest.body).toMatchObject({ items: [{ model: 'churn', number: 1 }] });
    expect(rest.body.next).toBeUndefined();
  });

  it('does not know what may not be read', async () => {
    const { body } = await get('/versions?filter=data.digest%20=%20sha256:77');
    expect(body.items.map(({ model }: { model: string }) => model).sort()).toEqual(['churn', 'wine']);
  });

  it('answers a filter that is not understood with its place, and one that is too long at once', async () => {
    expect(await get('/versions?filter=stag%20=%20x')).toMatchObject({
      status: 400,
      body: { code: 'usage', nearest: 'stage' },
    });
    expect((await get(`/versions?filter=${'('.repeat(70_000)}`)).status).toBe(400);
  });
});

describe('GET /lineage', () => {
  it('goes up: parents as they were meant then, run, data, commit, environment', async () => {
    const { body } = await get('/lineage?ref=churn:2&direction=up');
    const names = body.nodes.map(({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`);
    expect(names.sort()).toEqual([
      'address s3://b/x',
      'commit 4f1c2abcdef0',
      'data customers',
      'environment Python 3.11.7, 1 package',
      'run r0',
      'run r1',
      'version base:1',
      'version churn:1',
      'version churn:2',
    ]);
    expect(body.isCut).toBe(false);
  });

  it('goes down: children by number and by alias, and others trained on the same data; never to what may not be read', async () => {
    const { body } = await get('/lineage?ref=base:1&direction=down');
    expect(body.nodes.map(({ name }: { name: string }) => name)).toEqual(['base:1', 'churn:1', 'churn:2']);
    const siblings = await get('/lineage?ref=churn:1&direction=down&depth=0');
    expect(siblings.body.nodes.map(({ name }: { name: string }) => name)).toEqual(['churn:1', 'customers', 'wine:1']);
    expect(siblings.body.isCut).toBe(true);
    expect(JSON.stringify((await get('/lineage?ref=churn:1')).body)).not.toContain('secret');
  });
});

describe('what runs where', () => {
  const churn = async (number: number) =>
    (await trial.services.registry.model(parseModelName('churn'))).all.find((v) => v.number === number)?.manifest ?? '';

  it('keeps when a server began and ceased to answer, also while the registry did not hear of it', async () => {
    const [one, two] = [await churn(1), await churn(2)];
    const first = {
      model: 'churn',
      number: 1,
      manifest: one,
      since: '2026-05-10T10:00:00Z',
      sources: ['churn@production'],
    };
    expect(await report({ server: server('a'), versions: [first] })).toMatchObject({
      status: 200,
      body: { noted: 1, ignored: [] },
    });
    expect((await get('/deployments?live=true')).body.items).toMatchObject([
      { model: 'churn', number: 1, isLive: true, sources: ['churn@production'], server: { host: 'box' } },
    ]);
    clock = Date.parse('2026-06-01T12:00:00.000Z');
    // Weeks without a registry: what happened meanwhile is told afterwards.
    expect((await get('/deployments')).body.items).toMatchObject([
      { isLive: false, until: '2026-05-10T10:00:00.000Z' },
    ]);
    const ended = { ...first, until: '2026-05-20T00:00:00Z' };
    const next = { model: 'churn', number: 2, manifest: two, since: '2026-05-20T00:00:00Z' };
    const again = { server: server('a'), versions: [ended, next] };
    await report(again);
    await report(again);
    const between = await get('/deployments?model=churn&version=1&from=2026-05&to=2026-06');
    expect(between.body.items).toMatchObject([
      { number: 1, since: '2026-05-10T10:00:00.000Z', until: '2026-05-20T00:00:00.000Z' },
    ]);
    expect((await get('/deployments?model=churn&at=2026-05-25')).body.items).toMatchObject([{ number: 2 }]);
    expect((await get('/deployments?at=2026-05-05')).body.items).toEqual([]);
    expect(changes.map(({ kind, number }) => `${kind} ${number}`)).toEqual(['began 1', 'ended 1', 'began 2']);
    const { body } = await get('/lineage?ref=churn:2&direction=down');
    expect(body.nodes.at(-1)).toMatchObject({ kind: 'server', name: 'http://box:8080' });
  });

  it('holds a server that it has not heard of for three minutes for gone, and one that says so', async () => {
    clock += 60_000 * 2;
    expect((await get('/deployments?live=true')).body.items).toHaveLength(1);
    clock += 60_000 * 2;
    expect((await get('/deployments?live=true')).body.items).toEqual([]);
    const versions = [{ model: 'churn', number: 2, manifest: await churn(2), since: now().toISOString() }];
    await report({ server: server('b'), versions });
    expect((await get('/deployments?live=true')).body.items).toHaveLength(1);
    await report({ server: server('b'), versions, isLast: true });
    expect((await get('/deployments?live=true')).body.items).toEqual([]);
  });

  it('notes nothing of versions that it does not have, or the reporter may not read', async () => {
    const since = now().toISOString();
    const hidden = await trial.services.registry.model(parseModelName(HIDDEN));
    const versions = [
      { model: 'churn', number: 1, manifest: 'sha256:00', since },
      { model: 'nothing', number: 1, manifest: 'sha256:00', since },
      { model: HIDDEN, number: 1, manifest: hidden.all[0]?.manifest, since },
    ];
    const { body } = await report({ server: server('c'), versions });
    expect(body).toEqual({ noted: 0, ignored: ['churn:1', 'nothing:1', `${HIDDEN}:1`] });
  });

  it('pages, and refuses cursors and times that are none', async () => {
    const page = await get('/deployments?limit=1');
    const rest = await get(`/deployments?limit=100&cursor=${page.body.next}`);
    const all = await get('/deployments');
    expect([...page.body.items, ...rest.body.items]).toEqual(all.body.items);
    expect((await get('/deployments?at=soon')).status).toBe(400);
    const forged = Buffer.from(JSON.stringify(['deployments', '["x"]'])).toString('base64url');
    expect((await get(`/deployments?cursor=${forged}`)).status).toBe(400);
    expect((await report({ server: server('d'), versions: [{ model: 'churn', number: 0 }] })).status).toBe(400);
  });
});
