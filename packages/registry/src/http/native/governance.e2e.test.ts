import { digestOf } from '@ingot/core/digest';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Identity } from '../../access/identity.ts';
import { type TrialApp, trialApp } from '../testing/registry-app.ts';
import { nativeApi } from './native-api.ts';
import { NATIVE_ROUTES } from './native-routes.ts';

const CHURN = parseModelName('team/churn');
const PATH = '/api/v1/models/team%2Fchurn';

let trial: TrialApp;
/** Who asks now; roles are told by the name. */
let who: Identity;

function as(name: string): void {
  who = { kind: 'user', name, authenticated: true, subject: name, account: name };
}

const RANK = ['reader', 'pusher', 'promoter', 'admin'];
const NEEDS = { read: 0, push: 1, promote: 2, admin: 3 };

beforeEach(async () => {
  as('ada-admin');
  trial = await trialApp({
    protocols: [nativeApi(NATIVE_ROUTES)],
    identify: () => who,
    authorizer: {
      may: ({ name }, permission) => RANK.indexOf(name.split('-')[1] ?? '') >= NEEDS[permission],
      check: () => {},
    },
  });
  const { registry } = trial.services;
  await registry.ensureModel(CHURN);
  for (const [index, auc] of [0.97, 0.91, 0.98].entries()) {
    const manifest = digestOf(`v${index}`);
    const recipe = { digest: manifest, pack: 'none/0', offset: 0, length: 1 };
    const draft = { manifest, recipe, sizeBytes: 1, fileCount: 1, flavor: 'file', scan: 'not scanned' as const };
    await registry.publish(CHURN, { ...draft, metrics: { auc } }, { actor: 'bob-promoter' });
  }
});

afterEach(async () => trial[Symbol.asyncDispose]());

async function ask(method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, payload?: object) {
  const answer = await trial.app.inject({ method, url, ...(payload && { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() };
}

const policies = (policy: object, scope = 'team/') => ask('PUT', '/api/v1/policies', { policies: { [scope]: policy } });
const move = (number: number, reason?: string) => ask('PUT', `${PATH}/aliases/production`, { number, reason });

test('a protected alias moves once enough people have approved, the author not counting', async () => {
  await policies({ aliases: { 'prod*': { approvals: 2, notAuthor: true } } });
  const refused = await move(1);
  expect([refused.status, refused.body.code]).toEqual([403, 'refused']);
  expect(refused.body.detail).toContain('0 of 2 approvals');
  expect(refused.body.hint).toBe('ingot approve team/churn:1 --alias production');
  const approve = (version: number, alias = 'production') =>
    ask('POST', `${PATH}/versions/${version}/approvals`, { alias, reason: 'fine' });
  for (const name of ['bob-promoter', 'eve-promoter', 'eve-promoter']) {
    as(name);
    expect((await approve(1)).status).toBe(201);
  }
  as('ann-admin');
  await approve(1, 'prod-eu');
  await approve(2);
  expect((await move(1)).body.detail).toContain('1 of 2 approvals');
  await approve(1);
  const check = await ask('GET', `${PATH}/versions/1/check?alias=production`);
  expect(check.body).toMatchObject({ allowed: true, missing: [], number: 1 });
  expect((await move(1)).body).toEqual({ alias: 'production', from: null, to: 1 });
  expect((await move(2)).status).toBe(403);
});

test('whoever the policy does not ask cannot approve', async () => {
  await policies({ aliases: { production: { approvals: 1, by: ['admin', 'rob-reader'] } } });
  const approve = () => ask('POST', `${PATH}/versions/1/approvals`, { alias: 'production' });
  as('eve-promoter');
  const refused = await approve();
  expect([refused.status, refused.body.hint]).toEqual([403, 'those count: admin, rob-reader']);
  as('rob-reader');
  expect((await approve()).status).toBe(201);
  as('ada-admin');
  expect((await move(1)).status).toBe(200);
});

test('whoever approved may take it back: it counts no more, and what has moved stays', async () => {
  await policies({ aliases: { production: { approvals: 1 } } });
  as('eve-promoter');
  const approvals = `${PATH}/versions/1/approvals`;
  await ask('POST', approvals, { alias: 'production' });
  as('ann-admin');
  const others = await ask('DELETE', `${approvals}?alias=production`);
  expect([others.status, others.body.detail]).toEqual([404, expect.stringContaining('ann-admin has not approved')]);
  expect((await move(1)).status).toBe(200);
  as('eve-promoter');
  expect((await ask('DELETE', `${approvals}?alias=staging`)).status).toBe(404);
  const withdrawn = await ask('DELETE', `${approvals}?alias=production&reason=a%20mistake`);
  expect([withdrawn.status, withdrawn.body.alias]).toEqual([200, 'production']);
  expect((await ask('DELETE', `${approvals}?alias=production`)).status).toBe(404);
  expect((await ask('GET', `${PATH}/aliases/production`)).body.number).toBe(1);
  expect((await move(1)).body.detail).toContain('0 of 1 approvals');
  const [listed] = (await ask('GET', `${PATH}/approvals`)).body.items;
  expect(listed).toMatchObject({ by: 'eve-promoter', withdrawnAt: expect.any(String) });
  await ask('POST', approvals, { alias: 'production' });
  expect((await move(1)).status).toBe(200);
});

test('a condition may ask for packages, times and parents, and one that no release understands lets nothing through', async () => {
  const { registry, database } = trial.services;
  const manifest = digestOf('tuned');
  const recipe = { digest: manifest, pack: 'none/0', offset: 0, length: 1 };
  const draft = { manifest, recipe, sizeBytes: 1, fileCount: 1, flavor: 'file', scan: 'not scanned' as const };
  const environment = { python: '3.11.7', requirements: ['scikit-learn==1.3.2'] };
  await registry.publish(CHURN, { ...draft, environment, lineage: { parents: ['team/churn:1'] } });
  const conditions = ['scikit-learn >= 1.4', 'created > -30d AND parents.metrics.auc > 0.97'];
  await policies({ aliases: { production: { conditions } } });
  expect((await move(4)).body.details.missing).toEqual([
    'the condition "scikit-learn >= 1.4" does not hold: scikit-learn >= 1.4, and it is 1.3.2',
    expect.stringContaining('parents.metrics.auc > 0.97, and it is 0.97'),
  ]);
  await policies({ aliases: { production: { conditions: ['parents.stage IS NULL AND python >= 3.9'] } } });
  expect((await move(4)).status).toBe(200);
  const policy = JSON.stringify({ aliases: { production: { conditions: ['of.the.future > 1'] } } });
  await database.own.updateTable('governance_policies').set({ policy }).execute();
  const refused = await move(4);
  expect([refused.status, refused.body.detail]).toEqual([
    403,
    expect.stringContaining('have no field "of.the.future"'),
  ]);
});

test('a condition that fails is named with the value, in all scopes at once, and also for rollback', async () => {
  await ask('PUT', '/api/v1/policies', {
    policies: {
      '*': { aliases: { production: { conditions: ['auc >= 0.95'] } } },
      'team/churn': { aliases: { production: { conditions: ["tags.reviewed = 'yes'"] } } },
    },
  });
  const refused = await move(2);
  expect(refused.body.details.missing).toEqual([
    'the condition "auc >= 0.95" does not hold: auc >= 0.95, and it is 0.91',
    "the condition \"tags.reviewed = 'yes'\" does not hold: tags.reviewed = 'yes', and it has none",
  ]);
  const { registry } = trial.services;
  for (const number of [1, 3])
    await registry.update(parseReference(`team/churn:${number}`), { tags: { reviewed: 'yes' } });
  expect((await move(1)).status).toBe(200);
  expect((await move(3)).status).toBe(200);
  await registry.update(parseReference('team/churn:1'), { tags: { reviewed: null } });
  expect((await move(1)).status).toBe(403);
});

test('publishing, deleting and renaming are no ways around', async () => {
  await policies({ aliases: { production: { conditions: ['auc >= 0.95'], approvals: 1 } } });
  const { registry } = trial.services;
  const manifest = digestOf('new');
  const recipe = { digest: manifest, pack: 'none/0', offset: 0, length: 1 };
  const draft = { manifest, recipe, sizeBytes: 1, fileCount: 1, flavor: 'file', scan: 'not scanned' as const };
  const publishing = registry.publish(CHURN, { ...draft, metrics: { auc: 1 } }, { aliases: ['production'] });
  await expect(publishing).rejects.toThrow(/0 of 1 approvals/);
  expect((await registry.model(CHURN)).versions).toBe(3);
  await expect(registry.rename(CHURN, parseModelName('free'))).rejects.toThrow(/protected by policies/);
  await registry.ensureModel(parseModelName('free'));
  await registry.publish(parseModelName('free'), draft, { aliases: ['production'] });
  await expect(registry.rename(parseModelName('free'), parseModelName('team/free'))).rejects.toThrow(/may not name/);
  await ask('POST', `${PATH}/versions/1/approvals`, { alias: 'production' });
  await move(1);
  await expect(registry.removeAlias(CHURN, 'production')).rejects.toThrow(/may not be taken away/);
  await expect(registry.deleteModel(CHURN)).rejects.toThrow(/may not be taken away/);
});

test('a move that was checked on an older log is checked again', async () => {
  await policies({ aliases: { production: { conditions: ['auc >= 0.95'] } } });
  const { registry, index } = trial.services;
  const { seq } = await index.placeOf(CHURN);
  const moves = await Promise.allSettled([
    registry.update(parseReference('team/churn:1'), { metrics: { auc: 0.1 } }),
    registry.setAlias(CHURN, 'production', 1),
  ]);
  const aliasSeq = (await ask('GET', `${PATH}/history`)).body.items.find(
    ({ kind }: { kind: string }) => kind === 'alias-set',
  )?.seq;
  // Either the move came first, or it saw the worse metric.
  if (moves[1]?.status === 'fulfilled') expect(aliasSeq).toBe(seq + 1);
  else expect(String(moves[1]?.reason)).toContain('auc');
  await expect(registry.setAlias(CHURN, 'production', 3, { expectedSeq: seq })).rejects.toThrow(/changed meanwhile/);
});

test('stages are those of the policy, with rules of their own, and moves say why', async () => {
  const stage = (number: number, name: string | null, reason?: string) =>
    ask('PUT', `${PATH}/versions/${number}/stage`, { stage: name, reason });
  expect((await ask('GET', '/api/v1/stages')).body.stages).toEqual(['None', 'Staging', 'Production', 'Archived']);
  expect((await stage(1, 'Shadow')).body.hint).toBe('stages: None, Staging, Production, Archived');
  expect((await stage(1, 'production')).body.stage).toBe('Production');
  expect((await stage(1, 'None')).body.stage).toBeUndefined();
  await policies({
    stages: ['Shadow', 'Live'],
    reasons: 'required',
    stageRules: { live: { conditions: ['auc > 0.95', 'stage = Shadow'] } },
  });
  expect((await ask('GET', `${PATH}/stages`)).body.stages).toEqual(['None', 'Shadow', 'Live']);
  expect((await stage(1, 'Shadow')).body.detail).toContain('need a reason');
  expect((await stage(1, 'Live', 'now')).body.detail).toContain('stage = Shadow');
  expect((await stage(1, 'Shadow', 'try')).status).toBe(200);
  expect((await stage(1, 'Live', 'good')).body.stage).toBe('Live');
  expect((await move(1)).body.detail).toContain('need a reason');
  expect((await move(1, 'good')).status).toBe(200);
});

test('retention lets go what nothing keeps, and a hold beats it and deletion', async () => {
  await policies({ retention: { keepLast: 1 } });
  await ask('PUT', `${PATH}/holds/case%2017`, { number: 1, reason: 'the court asks' });
  const version = async (number: number) => (await ask('DELETE', `${PATH}/versions/${number}`)).body;
  expect(await version(1)).toMatchObject({ code: 'refused', details: { hold: 'case 17' } });
  const planned = await ask('POST', '/api/v1/retention', {});
  expect(planned.body).toMatchObject({ planned: [{ number: 2 }], released: [] });
  expect((await ask('POST', '/api/v1/retention', { dryRun: false })).body.released).toHaveLength(1);
  expect((await ask('GET', `${PATH}/holds`)).body.items).toMatchObject([
    { hold: 'case 17', number: 1, reason: 'the court asks', by: 'ada-admin' },
  ]);
  expect((await ask('DELETE', `${PATH}/holds/case%2017`)).status).toBe(204);
  expect((await ask('POST', '/api/v1/retention', { dryRun: false })).body.released).toMatchObject([{ number: 1 }]);
});

test('what is in a protected stage or under an alias stays, and what each run did is kept', async () => {
  await policies({ retention: { keepLast: 0 }, stageRules: { Production: {} } });
  await ask('PUT', `${PATH}/versions/1/stage`, { stage: 'production' });
  await move(2);
  // Version 3 is what `latest` means.
  expect((await ask('POST', '/api/v1/retention', {})).body.planned).toEqual([]);
  await ask('PUT', `${PATH}/versions/1/stage`, { stage: 'Archived' });
  expect((await ask('GET', '/api/v1/retention')).body).toEqual({ items: [], nextAt: null });
  const applied = await ask('POST', '/api/v1/retention', { dryRun: false, model: 'team/churn' });
  expect(applied.body.released).toMatchObject([{ number: 1 }]);
  expect((await ask('GET', '/api/v1/retention')).body.items).toMatchObject([
    { actor: 'ada-admin', scheduled: false, model: 'team/churn', planned: 1, released: 1, kept: 0, releasedBytes: 1 },
  ]);
  const last = (await ask('GET', `${PATH}/history`)).body.items;
  expect(last.find(({ kind }: { kind: string }) => kind === 'version-deleted')).toMatchObject({
    actor: 'ada-admin',
    reason: 'retention: no alias names it',
  });
});

test('a wrong policy is refused with its place and changes nothing', async () => {
  await policies({ reasons: 'required' });
  const wrong = await policies({ aliases: { production: { conditions: ['auc >= '] } } });
  expect([wrong.status, wrong.body.details.at]).toEqual([400, 'team/.production']);
  expect((await policies({ alias: {} })).status).toBe(400);
  expect((await policies({}, '../x')).status).toBe(400);
  expect((await ask('GET', '/api/v1/policies')).body.policies).toEqual({ 'team/': { reasons: 'required' } });
});

test('a reference means what it meant at a time', async () => {
  await move(1);
  const at = (await ask('GET', `${PATH}/history`)).body.items.at(-1).at;
  await new Promise((resolve) => setTimeout(resolve, 3));
  await move(3);
  const resolve = (query: string) =>
    ask('GET', `/api/v1/resolve?ref=${encodeURIComponent('team/churn@production')}${query}`);
  expect((await resolve('')).body.number).toBe(3);
  expect((await resolve(`&at=${at}`)).body.number).toBe(1);
  expect((await resolve('&at=2020-01-01T00:00:00Z')).status).toBe(404);
});
