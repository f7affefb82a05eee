import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryHost } from '../testing/memory-host.ts';
import { ADDER, CHURN, ECHO, IMAGE } from '../testing/models.ts';
import { type ServedApp, serveApp } from '../testing/served-app.ts';

let served: ServedApp;
beforeAll(async () => {
  served = await serveApp({ host: memoryHost([...CHURN, ADDER, ECHO, IMAGE]), version: '1.2.3' });
});
afterAll(() => served[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

async function call(
  path: string,
  body?: unknown,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Answer> {
  const sent =
    body === undefined || body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(served.url + path, sent === undefined ? {} : { method: 'POST', body: sent, headers });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const integers = (name: string, data: unknown, datatype = 'INT32'): object => ({ name, shape: [1, 4], datatype, data });
const adding = { id: 'r-1', inputs: [integers('INPUT0', [1, 2, 3, 4]), integers('INPUT1', [[10, 20, 30, 40]])] };
const tabular = [
  { name: 'plan', shape: [2], datatype: 'BYTES', data: ['pro', 'basic'] },
  { name: 'age', shape: [2, 1], datatype: 'INT8', data: [41, 2] },
  { name: 'charges', shape: [2], datatype: 'FP32', data: [1.5, 2] },
];

/** A body of JSON with raw tensors behind it. */
function binary(json: object, ...tensors: readonly Uint8Array[]): [Buffer, Record<string, string>] {
  const header = Buffer.from(JSON.stringify(json));
  return [
    Buffer.concat([header, ...tensors]),
    { 'content-type': 'application/octet-stream', 'inference-header-content-length': String(header.length) },
  ];
}

test('the server, its health and its models describe themselves', async () => {
  expect((await call('/v2')).body).toMatchObject({
    name: 'ingot',
    version: '1.2.3',
    extensions: expect.arrayContaining(['binary_tensor_data', 'statistics']),
  });
  expect((await call('/v2/models')).body).toEqual({ models: ['churn', 'simple', 'echo', 'team/image'] });
  expect((await call('/v2/models/churn')).body).toEqual({
    name: 'churn',
    versions: ['7', '8'],
    platform: 'memory',
    inputs: [
      { name: 'age', datatype: 'INT64', shape: [-1] },
      { name: 'charges', datatype: 'FP64', shape: [-1] },
      { name: 'plan', datatype: 'BYTES', shape: [-1] },
    ],
    outputs: [{ name: 'total', datatype: 'FP64', shape: [-1] }],
  });
  expect((await call('/v2/models/simple/config')).body).toMatchObject({
    name: 'simple',
    input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [-1, 4] }, {}],
  });
  expect((await call('/v2/models/churn/versions/1.2.0/ready')).body).toEqual({ name: 'churn', ready: true });
  expect((await call('/v2/models/team%2Fimage/ready')).status).toBe(200);
  expect((await call('/v2/models/team/image/ready')).status).toBe(200);
});

test('what is not served is 404 with the name that was meant', async () => {
  const { status, body } = await call('/v2/models/chrun/ready');
  expect([status, body]).toMatchObject([
    404,
    { code: 'model-not-found', nearest: 'churn', error: expect.stringContaining('did you mean "churn"') },
  ]);
  expect((await call('/v2/models/churn/versions/9')).status).toBe(404);
  expect((await call('/v2/models/churn/versions/9/infer', { inputs: tabular })).status).toBe(404);
});

test('inference takes flat and nested data, echoes the id, and names the version', async () => {
  const { body, headers } = await call('/v2/models/simple/infer', adding);
  expect(body).toEqual({
    id: 'r-1',
    model_name: 'simple',
    model_version: '1',
    outputs: [
      { name: 'OUTPUT0', datatype: 'INT32', shape: [1, 4], data: [11, 22, 33, 44] },
      { name: 'OUTPUT1', datatype: 'INT32', shape: [1, 4], data: [-9, -18, -27, -36] },
    ],
  });
  expect(headers.get('ingot-model')).toBe('simple');
});

test('a tabular model takes one tensor a feature in any order, widened without loss', async () => {
  expect((await call('/v2/models/churn/versions/8/infer', { inputs: tabular })).body).toMatchObject({
    model_version: '8',
    outputs: [{ name: 'total', data: [-42.5, -4] }],
  });
});

test('outputs are chosen and ordered by name; an unknown one is refused', async () => {
  const chosen = await call('/v2/models/simple/infer', { ...adding, outputs: [{ name: 'OUTPUT1' }] });
  expect(chosen.body).toMatchObject({ outputs: [{ name: 'OUTPUT1' }] });
  const unknown = await call('/v2/models/simple/infer', { ...adding, outputs: [{ name: 'OUTPUT9' }] });
  expect([unknown.status, unknown.body]).toMatchObject([400, { outputs: ['OUTPUT0', 'OUTPUT1'] }]);
});

test('binary tensors go in and out, mixed with JSON ones', async () => {
  const json = {
    inputs: [
      { name: 'INPUT0', shape: [1, 4], datatype: 'INT32', parameters: { binary_data_size: 16 } },
      integers('INPUT1', [10, 20, 30, 40]),
    ],
    outputs: [{ name: 'OUTPUT1' }, { name: 'OUTPUT0', parameters: { binary_data: true } }],
  };
  const [body, headers] = binary(json, new Uint8Array(Int32Array.of(1, 2, 3, 4).buffer));
  const response = await fetch(`${served.url}/v2/models/simple/infer`, { method: 'POST', body, headers });
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length'));
  const head: unknown = JSON.parse(bytes.subarray(0, length).toString());
  expect(head).toMatchObject({
    outputs: [
      { name: 'OUTPUT1', data: [-9, -18, -27, -36] },
      { name: 'OUTPUT0', parameters: { binary_data_size: 16 } },
    ],
  });
  expect([0, 4, 8, 12].map((offset) => bytes.readInt32LE(length + offset))).toEqual([11, 22, 33, 44]);
});

test('a body of raw bytes is the one input of a model', async () => {
  const bytes = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  const headers = { 'inference-header-content-length': '0', 'content-type': 'application/octet-stream' };
  expect((await call('/v2/models/team%2Fimage/infer', bytes, headers)).body).toMatchObject({
    outputs: [{ shape: [2, 2], data: [1, 2, 3, 4] }],
  });
  expect((await call('/v2/models/team%2Fimage/infer', bytes.subarray(0, 12), headers)).status).toBe(400);
  expect((await call('/v2/models/churn/infer', bytes, headers)).status).toBe(400);
});

test('64-bit integers keep every digit in both directions; NaN and infinity become null', async () => {
  const text =
    '{"inputs":[{"name":"n","datatype":"INT64","shape":[2],"data":[9223372036854775807,-9007199254740993]},{"name":"u","datatype":"UINT64","shape":[1],"data":[18446744073709551615]}]}';
  const response = await fetch(`${served.url}/v2/models/echo/infer`, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json' },
  });
  const reply = await response.text();
  expect(reply).toContain('"data":[9223372036854775807,-9007199254740993]');
  expect(reply).toContain('"data":[18446744073709551615]');
  const [body, headers] = binary(
    { inputs: [{ name: 'x', datatype: 'FP32', shape: [3], parameters: { binary_data_size: 12 } }] },
    new Uint8Array(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0.5).buffer),
  );
  expect((await call('/v2/models/echo/infer', body, headers)).body).toMatchObject({
    outputs: [{ data: [null, null, 0.5] }],
  });
});

test('a request that contradicts itself is 400', async () => {
  const one = (input: object): object => ({
    inputs: [{ name: 'x', shape: [2], datatype: 'FP32', data: [1, 2], ...input }],
  });
  const contradictions: readonly unknown[] = [
    [],
    'null',
    {},
    { inputs: [] },
    { inputs: {} },
    { inputs: [7] },
    { inputs: [{ shape: [1], datatype: 'FP32', data: [1] }] },
    one({ shape: [3] }),
    one({ shape: [-2] }),
    one({ shape: 2 }),
    one({ shape: [1e300] }),
    one({ shape: [1e9, 1e9] }),
    one({ shape: Array(40).fill(1) }),
    one({ datatype: 'FP31' }),
    one({ datatype: 'BF16' }),
    one({ datatype: 7 }),
    one({ data: [1, '2'] }),
    one({ data: [1, [2]] }),
    one({ data: 'ab' }),
    one({ data: undefined }),
    one({ parameters: 7 }),
    one({ parameters: { shared_memory_region: 'r' } }),
    one({ data: undefined, parameters: { binary_data_size: 8 } }),
    one({ data: undefined, parameters: { binary_data_size: -1 } }),
    { ...one({}), id: 7 },
    { ...one({}), outputs: 'x' },
    { ...one({}), outputs: [{ name: 'x_out', parameters: { classification: 3 } }] },
    { ...one({}), parameters: { method: '__class__' } },
    {
      inputs: [
        { name: 'x', shape: [1], datatype: 'FP32', data: [1] },
        { name: 'x', shape: [1], datatype: 'FP32', data: [1] },
      ],
    },
    `{"inputs": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    `{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": ${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`,
  ];
  for (const body of contradictions) {
    const { status, body: reply } = await call('/v2/models/echo/infer', body);
    expect([status, reply], JSON.stringify(body).slice(0, 200)).toMatchObject([400, { error: expect.any(String) }]);
  }
  for (const length of ['-1', 'x', '999999', '1e3']) {
    expect(
      (
        await call('/v2/models/echo/infer', '{}', {
          'inference-header-content-length': length,
          'content-type': 'application/octet-stream',
        })
      ).status,
    ).toBe(400);
  }
  const [surplus, headers] = binary(adding, Buffer.from('surplus'));
  expect((await call('/v2/models/simple/infer', surplus, headers)).status).toBe(400);
});

test('tensors that disagree with the signature are 422 and say how', async () => {
  const wrong = await call('/v2/models/simple/infer', {
    inputs: [
      integers('INPUT0', [1, 2, 3, 4], 'FP32'),
      { name: 'INPUT1', shape: [2, 2], datatype: 'INT32', data: [1, 2, 3, 4] },
    ],
  });
  expect([wrong.status, wrong.body]).toMatchObject([
    422,
    {
      wrong: [
        { feature: 'INPUT0', value: 'of datatype FP32' },
        { feature: 'INPUT1', value: 'of shape [2, 2]' },
      ],
    },
  ]);
  const missing = await call('/v2/models/churn/infer', { inputs: tabular.slice(1) });
  expect([missing.status, missing.body]).toMatchObject([422, { missing: ['plan'], example: { plan: 'basic' } }]);
});

test('a hundred thousand inputs are refused quickly and the message stays short', async () => {
  const inputs = Array.from({ length: 100_000 }, (_, index) => ({
    name: `x${index}`,
    shape: [1],
    datatype: 'FP32',
    data: [1],
  }));
  const { status, body } = await call('/v2/models/churn/infer', { inputs });
  expect(status).toBe(422);
  expect(JSON.stringify(body).length).toBeLessThan(2000);
});

test('statistics count what was answered and what failed', async () => {
  const before = await call('/v2/models/team%2Fimage/stats');
  await call('/v2/models/team%2Fimage/infer', {
    inputs: [{ name: 'x', shape: [3, 2], datatype: 'FP32', data: [1, 2, 3, 4, 5, 6] }],
  });
  await call('/v2/models/team%2Fimage/infer', { inputs: [{ name: 'y', shape: [1], datatype: 'FP32', data: [1] }] });
  const after = await call('/v2/models/team%2Fimage/versions/1/stats');
  const read = (
    answer: Answer,
  ): {
    inference_count: number;
    execution_count: number;
    inference_stats: { success: { ns: number }; fail: { count: number } };
  } => Object(answer.body).model_stats[0];
  expect(read(after).inference_count - read(before).inference_count).toBe(3);
  expect(read(after).execution_count - read(before).execution_count).toBe(1);
  expect(read(after).inference_stats.fail.count - read(before).inference_stats.fail.count).toBe(1);
  expect(read(after).inference_stats.success.ns).toBeGreaterThan(0);
});

test('the repository is listed, unloaded and loaded, with empty bodies too; nothing foreign is loaded', async () => {
  const other = await serveApp({ host: memoryHost([ADDER]) });
  const send = async (path: string, body = '', headers: Record<string, string> = {}): Promise<unknown[]> => {
    const response = await fetch(other.url + path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return [response.status, await response.json()];
  };
  const index = '/v2/repository/index';
  expect(await send(index)).toEqual([200, [{ name: 'simple', version: '1', state: 'READY', reason: '' }]]);
  expect(await send('/v2/repository/models/simple/unload', '{"parameters":{"unload_dependents":false}}')).toEqual([
    200,
    {},
  ]);
  expect(await send(index, '{"ready": true}')).toEqual([200, []]);
  expect((await fetch(`${other.url}/v2/models/simple/ready`)).status).toBe(503);
  expect((await fetch(`${other.url}/v2/health/ready`)).status).toBe(503);
  expect((await send('/v2/models/simple/infer', JSON.stringify(adding)))[0]).toBe(503);
  expect((await send('/v2/repository/models/simple/load', '{"parameters":{"file:1/model.onnx":"AAAA"}}'))[0]).toBe(400);
  expect((await send('/v2/repository/models/simple/load', '', { origin: 'https://evil.example' }))[0]).toBe(403);
  expect(await send('/v2/repository/models/simple/load')).toEqual([200, {}]);
  expect((await send('/v2/models/simple/infer', JSON.stringify(adding)))[0]).toBe(200);
  expect((await send('/v2/repository/models/nope/load'))[0]).toBe(404);
  await other[Symbol.asyncDispose]();
});

test('BYTES in base64 are read as they are written', async () => {
  const input = (data: readonly string[]): object => ({
    inputs: [{ name: 'a', datatype: 'BYTES', shape: [1], data, parameters: { content_type: 'base64' } }],
  });
  expect((await call('/v2/models/echo/infer', input([Buffer.from([0xff, 0]).toString('base64')]))).body).toMatchObject({
    outputs: [{ parameters: { content_type: 'base64' }, data: ['/wA='] }],
  });
  expect((await call('/v2/models/echo/infer', input([Buffer.from('☃').toString('base64')]))).body).toMatchObject({
    outputs: [{ data: ['☃'] }],
  });
  expect(await call('/v2/models/echo/infer', input(['no base64!']))).toMatchObject({
    status: 400,
    body: { error: expect.stringContaining('which is no base64') },
  });
});
