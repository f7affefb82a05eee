import { parseModelName } from '@ingot/core/ref';
import { randomOf } from '@ingot/core/seeded-random';
import { expect, test } from 'vitest';
import type { Identity, Permission } from '../access/identity.ts';
import { PLAYED_NAMES, playHistory } from '../index/testing/random-history.ts';
import { mlflowApiOver } from './mlflow/mlflow-api.ts';
import { nativeApi } from './native/native-api.ts';
import { NATIVE_ROUTES } from './native/native-routes.ts';
import type { Wanted } from './route-access.ts';
import { type TrialApp, trialApp } from './testing/registry-app.ts';

const ARTIFACTS = {
  abilities: { multipartUploads: false, multipartDownloads: false, presignedUploads: false },
  packageOf: async () => Promise.reject(new Error('nothing is registered here')),
  loggedModelReady: async () => {},
  addressOf: ({ modelId, number }: { readonly modelId: string; readonly number: number }) =>
    `mlflow-artifacts:/versions/${modelId}/${number}`,
};
const ANA: Identity = { kind: 'user', name: 'ana', authenticated: true };

/** An application that listens, and how many answers went through the lane. */
async function listening(mayNow: (wanted: Wanted) => boolean = () => true) {
  const counted = { fast: 0 };
  const trial = await trialApp({
    protocols: [nativeApi(NATIVE_ROUTES), mlflowApiOver(ARTIFACTS)],
    atOnce: (_request, wanted) => {
      if (!mayNow(wanted)) return undefined;
      counted.fast += 1;
      return ANA;
    },
  });
  return { trial, counted, url: await trial.listen() };
}

type Answer = { readonly status: number; readonly headers: Record<string, string | undefined>; readonly body: string };

const COMPARED = ['content-type', 'etag', 'cache-control', 'ingot-seq', 'x-content-type-options', 'content-length'];

async function overTheWire(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const reply = await fetch(url, { headers });
  const said = Object.fromEntries(COMPARED.map((name) => [name, reply.headers.get(name) ?? undefined]));
  return { status: reply.status, headers: said, body: await reply.text() };
}

/** The same without a connection, which the lane never sees. */
async function theLongWay({ app }: TrialApp, path: string): Promise<Answer> {
  const reply = await app.inject({ method: 'GET', url: path });
  const said = Object.fromEntries(COMPARED.map((name) => [name, reply.headers[name]?.toString()]));
  return { status: reply.statusCode, headers: said, body: reply.body };
}

const MLFLOW = '/api/2.0/mlflow';

function addressesOf(model: string): readonly string[] {
  const name = encodeURIComponent(model);
  return [
    `${MLFLOW}/registered-models/get?name=${name}`,
    `${MLFLOW}/registered-models/alias?name=${name}&alias=production`,
    `${MLFLOW}/registered-models/get-latest-versions?name=${name}`,
    `${MLFLOW}/model-versions/get?name=${name}&version=1`,
    `${MLFLOW}/model-versions/get?name=${name}&version=2`,
    `/api/v1/models/${name}`,
    `/api/v1/models/${name}/aliases`,
    `/api/v1/models/${name}/aliases/production`,
    `/api/v1/models/${name}/versions/latest`,
    `/api/v1/models/${name}/versions/2`,
    `/api/v1/resolve?ref=${name}@production`,
  ];
}

test('whatever is written, the next answer that is kept is the one that the long way gives', async () => {
  const { trial, counted, url } = await listening();
  await using _ = trial;
  const random = randomOf(11);
  for (let round = 0; round < 25; round++) {
    await playHistory(trial.services.registry, 2, random);
    for (const path of PLAYED_NAMES.slice(0, 2).flatMap(addressesOf)) {
      // The first one may be kept, the second one may be what was kept.
      const [first, second] = [await overTheWire(`${url}${path}`), await overTheWire(`${url}${path}`)];
      const slow = await theLongWay(trial, path);
      expect(first, path).toEqual(slow);
      expect(second, path).toEqual(slow);
    }
  }
  expect(counted.fast).toBeGreaterThan(50);
});

test('whatever is written, a page of versions says of each what is said when it is asked for alone', async () => {
  await using trial = (await listening()).trial;
  const random = randomOf(5);
  let compared = 0;
  for (let round = 0; round < 40; round++) {
    await playHistory(trial.services.registry, 3, random);
    const { body } = await theLongWay(trial, `${MLFLOW}/model-versions/search?filter=name+LIKE+'%25'&max_results=1000`);
    const { model_versions: page = [] }: Page = JSON.parse(body);
    for (const version of page) {
      const address = `${MLFLOW}/model-versions/get?name=${encodeURIComponent(version.name)}&version=${version.version}`;
      const alone: unknown = JSON.parse((await theLongWay(trial, address)).body);
      expect({ model_version: version }).toEqual(alone);
      compared += 1;
    }
    for (const filter of ["tags.team = 'x'", "name = 'churn' and tags.team = 'x'", "name = 'churn'"]) {
      const found = await allPages(trial, filter, 2);
      const wanted = page.filter(
        ({ name, tags = [] }) =>
          (!filter.includes('name') || name === 'churn') &&
          (!filter.includes('tags') || tags.some(({ key, value }) => key === 'team' && value === 'x')),
      );
      expect(found).toEqual(wanted);
    }
  }
  expect(compared).toBeGreaterThan(100);
});

interface Page {
  readonly model_versions?: readonly {
    readonly name: string;
    readonly version: string;
    readonly tags?: readonly { readonly key: string; readonly value: string }[];
  }[];
  readonly next_page_token?: string;
}

async function allPages(trial: TrialApp, filter: string, size: number) {
  const found: unknown[] = [];
  for (let token = ''; ; ) {
    const path = `${MLFLOW}/model-versions/search?max_results=${size}&filter=${encodeURIComponent(filter)}&page_token=${token}`;
    const { model_versions = [], next_page_token }: Page = JSON.parse((await theLongWay(trial, path)).body);
    found.push(...model_versions);
    if (next_page_token === undefined) return found;
    token = next_page_token;
  }
}

test('a kept answer is asked for by what the route wants, and whoever may not goes the long way', async () => {
  let allowed: Permission | undefined = 'read';
  const { trial, counted, url } = await listening(({ permission, target, route }) => {
    expect({ target, route }).toEqual({ target: { kind: 'model', model: 'churn' }, route: '/api/v1/models/:name' });
    return permission === allowed;
  });
  await using _ = trial;
  await trial.services.registry.ensureModel(parseModelName('churn'));
  const path = `${url}/api/v1/models/churn`;
  await overTheWire(path);
  await overTheWire(path);
  await overTheWire(path);
  const before = counted.fast;
  allowed = undefined;
  expect((await overTheWire(path)).status).toBe(200);
  expect(before).toBeGreaterThan(0);
  expect(counted.fast).toBe(before);
});

test('who has an answer already is told so, and other conditions go the long way', async () => {
  const { trial, counted, url } = await listening();
  await using _ = trial;
  await trial.services.registry.ensureModel(parseModelName('churn'));
  const path = `${url}/api/v1/models/churn`;
  await overTheWire(path);
  const { headers } = await overTheWire(path);
  const before = counted.fast;
  const known = await overTheWire(path, { 'if-none-match': headers.etag ?? '' });
  expect(known).toEqual({
    status: 304,
    body: '',
    headers: { ...headers, 'content-type': undefined, 'content-length': undefined },
  });
  expect(counted.fast).toBe(before + 1);
  expect((await overTheWire(path, { 'if-none-match': '"other"' })).status).toBe(200);
  expect((await overTheWire(path, { 'if-none-match': `"other", ${headers.etag}` })).status).toBe(304);
  expect((await overTheWire(path, { 'ingot-min-seq': '1' })).status).toBe(200);
  expect(counted.fast).toBe(before + 1);
});
