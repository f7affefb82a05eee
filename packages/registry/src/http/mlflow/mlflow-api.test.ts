import { digestOf } from '@ingot/core/digest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trialApp } from '../testing/registry-app.ts';
import { mlflowApiOver } from './mlflow-api.ts';

const KEPT = {
  abilities: { multipartUploads: false, multipartDownloads: false, presignedUploads: false },
  packageOf: async (source: string) => ({
    manifest: digestOf(source),
    recipe: { digest: digestOf(source), pack: `${'0'.repeat(32)}/1`, offset: 0, length: 1 },
    sizeBytes: 1,
    fileCount: 1,
    flavor: 'file',
    scan: 'not scanned' as const,
  }),
  loggedModelReady: async () => {},
  addressOf: ({ modelId, number }: { readonly modelId: string; readonly number: number }) =>
    `mlflow-artifacts:/versions/${modelId}/${number}`,
};

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

let server: Awaited<ReturnType<typeof trial>>;

beforeAll(async () => {
  server = await trial();
});

afterAll(async () => {
  await server.end();
});

async function trial() {
  const made = await trialApp({ protocols: [mlflowApiOver(KEPT)] });
  const ask = async (method: Method, path: string, payload?: object, prefix = '/api/2.0/mlflow') => {
    const answer = await made.app.inject({ method, url: `${prefix}${path}`, ...(payload ? { payload } : {}) });
    return { status: answer.statusCode, body: answer.json() };
  };
  return { ask, app: made.app, end: () => made[Symbol.asyncDispose]() };
}

test('all prefixes of the API answer the same, and errors are those of MLflow', async () => {
  const prefixes = ['/api/2.0/mlflow', '/api/3.0/mlflow', '/ajax-api/2.0/mlflow', '/ajax-api/3.0/mlflow'];
  for (const prefix of prefixes) {
    const { body } = await server.ask('GET', '/experiments/get?experiment_id=0', undefined, prefix);
    expect(body.experiment).toMatchObject({
      experiment_id: '0',
      name: 'Default',
      artifact_location: 'mlflow-artifacts:/0',
    });
    const missing = await server.ask('GET', '/registered-models/get?name=zz', undefined, prefix);
    expect(missing).toEqual({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'Registered Model with name=zz not found' },
    });
    expect((await server.ask('GET', '/nothing', undefined, prefix)).body.error_code).toBe('RESOURCE_DOES_NOT_EXIST');
  }
  expect((await server.app.inject('/health')).body).toBe('OK');
  expect((await server.app.inject('/version')).body).toBe('3.17.2');
});

test('another method than an address takes is refused, in the errors of MLflow, with those that it takes', async () => {
  const url = '/api/2.0/mlflow/runs/search';
  const answer = await server.app.inject({ method: 'PUT', url });
  expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'POST']);
  expect(answer.json()).toEqual({ error_code: 'BAD_REQUEST', message: `${url} does not take PUT (it takes POST)` });
});

test('wrong types are refused with 400, unknown fields are passed over', async () => {
  const wrong = await server.ask('POST', '/registered-models/create', { name: 5 });
  expect(wrong).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
  const fine = await server.ask('POST', '/registered-models/create', { name: 'fine', future: { a: 1 }, tags: null });
  expect(fine.status).toBe(200);
});

test('NaN and the infinities come back as they were logged, and pages go on behind them', async () => {
  const { body } = await server.ask('POST', '/runs/create', { experiment_id: '0', start_time: 1 });
  const run_id: string = body.run.info.run_id;
  const values = ['-Infinity', 0.5, 'Infinity', 'NaN'];
  const metrics = values.map((value, step) => ({ key: 'x', value, timestamp: 7, step: step === 3 ? 3 : 0 }));
  expect((await server.ask('POST', '/runs/log-batch', { run_id, metrics })).status).toBe(200);
  const seen: unknown[] = [];
  for (let token = ''; ; ) {
    const page = await server.ask(
      'GET',
      `/metrics/get-history?run_id=${run_id}&metric_key=x&max_results=1&page_token=${token}`,
    );
    seen.push(...page.body.metrics.map(({ value }: { readonly value: unknown }) => value));
    token = page.body.next_page_token ?? '';
    if (token === '') break;
  }
  expect(seen).toEqual(['-Infinity', 0.5, 'Infinity', 'NaN']);
});

test('filters are a superset of MLflow: OR, NOT and parentheses; what is deep or long is refused', async () => {
  for (const [name, k] of [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
  ])
    await server.ask('POST', '/registered-models/create', { name, tags: [{ key: 'k', value: k }] });
  const find = async (filter: string) => {
    const { status, body } = await server.ask('GET', `/registered-models/search?filter=${encodeURIComponent(filter)}`);
    const models: readonly { readonly name: string }[] = body.registered_models ?? [];
    return status === 200 ? models.map(({ name }) => name).join('') : status;
  };
  expect(await find("(tags.k = '1' OR tags.k = '2') AND NOT name = 'a'")).toBe('b');
  expect(await find("name IN ('a', 'c')")).toBe('ac');
  expect(await find(`${'('.repeat(100)}name = 'a'${')'.repeat(100)}`)).toBe(400);
  expect(await find("name = 'a' -- x")).toBe(400);
  expect(await find("name = ''' OR 1=1")).toBe(400);
});

test('a source that climbs or lies in a machine makes no version', async () => {
  await server.ask('POST', '/registered-models/create', { name: 'm' });
  const sources = [
    '/etc/passwd',
    'file:///etc/passwd',
    's3://b/../c',
    's3://b/%252e%252e/c',
    'http:///#/../../etc',
    'http://h/x?y=../..',
    'data:text/plain,x',
    '\\\\host\\share',
    'mlflow-artifacts:/0/x',
    `models:/m-${'0'.repeat(32)}`,
  ];
  for (const source of sources) {
    const answer = await server.ask('POST', '/model-versions/create', { name: 'm', source });
    expect([source, answer.status, answer.body.error_code]).toEqual([source, 400, 'INVALID_PARAMETER_VALUE']);
  }
  expect((await server.ask('GET', "/model-versions/search?filter=name='m'")).body).toEqual({});
});

test('a prompt is a version without files; its source is that word, and only of prompts', async () => {
  await server.ask('POST', '/registered-models/create', { name: 'greeting' });
  const tags = [
    { key: 'mlflow.prompt.is_prompt', value: 'true' },
    { key: 'mlflow.prompt.text', value: 'hello {{name}}' },
  ];
  const create = (asked: object) =>
    server.ask('POST', '/model-versions/create', { name: 'greeting', source: 'dummy-source', ...asked });
  expect((await create({})).status).toBe(400);
  expect((await create({ tags, source: '/etc/passwd' })).status).toBe(400);
  const { body } = await create({ tags });
  expect(body.model_version).toMatchObject({ version: '1', status: 'READY', source: 'dummy-source', tags });
});

test('prompts are no models to who does not ask for them', async () => {
  const is = [{ key: 'mlflow.prompt.is_prompt', value: 'true' }];
  await server.ask('POST', '/registered-models/create', { name: 'asking', tags: is });
  await server.ask('POST', '/model-versions/create', { name: 'asking', source: 'dummy-source', tags: is });
  const names = async (what: string, filter: string) => {
    const { body } = await server.ask('GET', `/${what}/search?filter=${encodeURIComponent(filter)}`);
    return Object.values(body)
      .flat()
      .map((one) => Object(one).name);
  };
  for (const what of ['registered-models', 'model-versions']) {
    expect(await names(what, "name = 'asking'")).toEqual([]);
    expect(await names(what, '')).not.toContain('asking');
    expect(await names(what, "name = 'asking' AND tags.`mlflow.prompt.is_prompt` = 'true'")).toEqual(['asking']);
  }
});

test('the alias latest is the newest version, which needs none', async () => {
  await server.ask('POST', '/registered-models/create', { name: 'newest' });
  const latest = (alias: string) => server.ask('GET', `/registered-models/alias?name=newest&alias=${alias}`);
  expect((await latest('latest')).body.error_code).toBe('RESOURCE_DOES_NOT_EXIST');
  for (const source of ['s3://b/1', 's3://b/2', 's3://b/3'])
    await server.ask('POST', '/model-versions/create', { name: 'newest', source });
  const stage = { name: 'newest', version: '2', stage: 'Production', archive_existing_versions: false };
  await server.ask('POST', '/model-versions/transition-stage', stage);
  expect((await latest('latest')).body.model_version.version).toBe('3');
  await server.ask('DELETE', '/model-versions/delete', { name: 'newest', version: '3' });
  expect((await latest('Latest')).body.model_version.version).toBe('2');
});

test('an order that is not understood is refused, and a version number may stand in quotes', async () => {
  for (const order of ['metrics.a FOO', 'metrics.a, metrics.b', 'metrics.a b desc', 'metrics."a', '', '.a']) {
    const asked = { experiment_ids: ['0'], order_by: [order] };
    expect([order, (await server.ask('POST', '/runs/search', asked)).status]).toEqual([order, 400]);
  }
  for (const order of ['metrics."a b" DESC', 'metrics.`a.b`', ' tags.a.b  asc ', 'params.a/b', 'start_time']) {
    const asked = { experiment_ids: ['0'], order_by: [order] };
    expect([order, (await server.ask('POST', '/runs/search', asked)).status]).toEqual([order, 200]);
  }
  const filter = encodeURIComponent("name = 'newest' AND version_number = '2'");
  const { body } = await server.ask('GET', `/model-versions/search?filter=${filter}`);
  expect(body.model_versions).toHaveLength(1);
});

test('numbers near to nothing are kept, and found', async () => {
  const run_id = (await server.ask('POST', '/runs/create', { experiment_id: '0' })).body.run.info.run_id;
  const tiny = [1e-17, 1.2345678901234567e-42, 2.3e-308, 5e-324, -1e-310];
  for (const [at, value] of tiny.entries())
    await server.ask('POST', '/runs/log-metric', { run_id, key: `tiny${at}`, value, timestamp: 1 });
  const { body } = await server.ask('GET', `/runs/get?run_id=${run_id}`);
  expect(body.run.data.metrics.map(({ value }: { value: number }) => value)).toEqual(tiny);
  const asked = { experiment_ids: ['0'], filter: 'metrics.tiny1 > 1e-43 AND metrics.tiny1 < 1e-41' };
  expect((await server.ask('POST', '/runs/search', asked)).body.runs).toHaveLength(1);
});

test('data sets are told in the order in which they were logged', async () => {
  const run_id = (await server.ask('POST', '/runs/create', { experiment_id: '0' })).body.run.info.run_id;
  const names = ['c', 'a', 'd', 'b', 'e'];
  for (const name of names) {
    const dataset = { name, digest: name, source_type: 'local', source: name };
    await server.ask('POST', '/runs/log-inputs', { run_id, datasets: [{ dataset, tags: [] }] });
  }
  const { body } = await server.ask('GET', `/runs/get?run_id=${run_id}`);
  const told = body.run.inputs.dataset_inputs.map(({ dataset }: { dataset: { name: string } }) => dataset.name);
  expect(told).toEqual(names);
});

test('an address with U+0000 is refused before a database sees it', async () => {
  for (const path of [
    '/experiments/get-by-name?experiment_name=a%00b',
    '/logged-models/a%00b',
    '/registered-models/alias?name=m&alias=a%00b',
    "/registered-models/search?filter=name='a%00b'",
  ])
    expect([path, (await server.ask('GET', path)).status]).toEqual([path, 400]);
});

test('what only MLflow says of a version is no tag to its clients, and none can be set', async () => {
  await server.ask('POST', '/registered-models/create', { name: 'My Model' });
  const asked = { name: 'My Model', source: 's3://b/x', run_link: 'https://r' };
  const { body } = await server.ask('POST', '/model-versions/create', asked);
  expect(body.model_version).toMatchObject({
    name: 'My Model',
    version: '1',
    source: 's3://b/x',
    run_link: 'https://r',
  });
  expect(body.model_version.tags).toBeUndefined();
  const forged = { name: 'My Model', version: '1', key: 'mlflow.version.source', value: 'file:///etc' };
  expect((await server.ask('POST', '/model-versions/set-tag', forged)).status).toBe(400);
});

test('every change of a model is seen by whoever has asked before', async () => {
  const ask = async (method: Method, path: string, payload?: object) => (await server.ask(method, path, payload)).body;
  const source = 's3://bucket/model';
  await ask('POST', '/registered-models/create', { name: 'seen' });
  for (let count = 0; count < 2; count++) await ask('POST', '/model-versions/create', { name: 'seen', source });
  const alias = () => ask('GET', '/registered-models/alias?name=seen&alias=prod');
  const version = () => ask('GET', '/model-versions/get?name=seen&version=1');
  const model = () => ask('GET', '/registered-models/get?name=seen');
  for (const number of ['1', '2']) {
    await ask('POST', '/registered-models/alias', { name: 'seen', alias: 'prod', version: number });
    expect((await alias()).model_version.version).toBe(number);
    expect((await model()).registered_model.aliases).toEqual([{ alias: 'prod', version: number }]);
  }
  for (const description of ['one', 'two']) {
    await ask('PATCH', '/model-versions/update', { name: 'seen', version: '1', description });
    expect((await version()).model_version.description).toBe(description);
  }
  await ask('POST', '/model-versions/set-tag', { name: 'seen', version: '2', key: 'team', value: 'red' });
  expect((await alias()).model_version.tags).toEqual([{ key: 'team', value: 'red' }]);
  const same = await ask('POST', '/registered-models/rename', { name: 'seen', new_name: 'seen' });
  expect(same.registered_model.name).toBe('seen');
  await ask('POST', '/registered-models/rename', { name: 'seen', new_name: 'chosen' });
  expect((await alias()).error_code).toBe('RESOURCE_DOES_NOT_EXIST');
  expect((await ask('GET', '/registered-models/alias?name=chosen&alias=prod')).model_version.name).toBe('chosen');
  await ask('DELETE', '/model-versions/delete', { name: 'chosen', version: '1' });
  expect((await ask('GET', '/model-versions/get?name=chosen&version=1')).error_code).toBe('RESOURCE_DOES_NOT_EXIST');
});
