import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryHost } from '../testing/memory-host.ts';
import { ADDER, CHURN, IMAGE } from '../testing/models.ts';
import { type ServedApp, serveApp } from '../testing/served-app.ts';

let one: ServedApp;
let many: ServedApp;
beforeAll(async () => {
  one = await serveApp({ host: memoryHost(CHURN) });
  many = await serveApp({ host: memoryHost([...CHURN, ADDER, IMAGE]) });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await many[Symbol.asyncDispose]();
});

async function score(
  body: unknown,
  { path = '/invocations', type = 'application/json', app = one } = {},
): Promise<{ status: number; body: unknown; warning: string | null }> {
  const response = await fetch(app.url + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': type },
  });
  return { status: response.status, body: await response.json(), warning: response.headers.get('ingot-warning') };
}

const row = { plan: 'pro', age: 41, charges: 1.5 };

test('all four envelopes and CSV give the same predictions', async () => {
  const split = { columns: ['plan', 'age', 'charges'], index: [0], data: [['pro', 41, 1.5]] };
  for (const body of [
    { dataframe_records: [row] },
    { dataframe_split: split },
    { dataframe_split: { data: [[41, 1.5, 'pro']] } },
    { instances: [row] },
    { instances: [[41, 1.5, 'pro']] },
    { inputs: [row] },
    { inputs: { plan: ['pro'], age: [41], charges: [1.5] } },
    { inputs: row },
  ]) {
    expect(await score(body), JSON.stringify(body)).toMatchObject({ status: 200, body: { predictions: [42.5] } });
  }
  expect(
    await score('plan,age,charges\r\n"pro",41,1.5\r\nbasic,2,\r\n', { type: 'text/csv; charset=utf-8' }),
  ).toMatchObject({ status: 200, body: { predictions: [42.5, null] } });
});

test('tensor models take nested lists', async () => {
  for (const body of [
    {
      inputs: [
        [1, 2],
        [3, 4],
      ],
    },
    {
      instances: [
        [1, 2],
        [3, 4],
      ],
    },
    { instances: [{ x: [1, 2] }, { x: [3, 4] }] },
    {
      inputs: {
        x: [
          [1, 2],
          [3, 4],
        ],
      },
    },
  ]) {
    expect(await score(body, { path: '/models/team%2Fimage/invocations', app: many })).toMatchObject({
      status: 200,
      body: {
        predictions: [
          [1, 2],
          [3, 4],
        ],
      },
    });
  }
});

test('without a model in the path there must be one; the error names the routes', async () => {
  const { status, body } = await score({ instances: [row] }, { app: many });
  expect([status, body]).toMatchObject([
    400,
    { routes: expect.arrayContaining(['/models/churn/invocations', '/models/team%2Fimage/invocations']) },
  ]);
  expect(await score({ instances: [row] }, { app: many, path: '/models/churn/versions/8/invocations' })).toMatchObject({
    body: { predictions: [-42.5] },
  });
});

test('params that no model reads are ignored and named, a method is called', async () => {
  expect(await score({ instances: [row], params: { temperature: 1 } })).toMatchObject({
    status: 200,
    warning: 'params ignored: temperature',
  });
  expect((await score({ instances: [row], params: { method: 'predict_proba' } })).status).toBe(200);
  expect((await score({ instances: [row], params: { method: 'fit' } })).status).toBe(400);
  expect((await score({ instances: [row], params: 7 })).status).toBe(400);
});

test('envelopes that contradict themselves are 400, rows that disagree with the signature 422', async () => {
  for (const body of [
    {},
    [],
    '7',
    { instances: [row], inputs: [row] },
    { instances: 7 },
    { instances: [] },
    { dataframe_split: [] },
    { dataframe_split: { columns: ['a', 'a'], data: [[1, 2]] } },
    { dataframe_split: { columns: ['age'], data: [[1, 2]] } },
    { inputs: { age: [1, 2], charges: [1] } },
  ]) {
    expect((await score(body)).status, JSON.stringify(body)).toBe(400);
  }
  for (const body of [
    { instances: [{ ...row, age: 'x' }] },
    { instances: [[1]] },
    { dataframe_records: [{}] },
    { dataframe_records: [7] },
  ]) {
    expect((await score(body)).status, JSON.stringify(body)).toBe(422);
  }
  for (const csv of ['', 'a,a\n1,2\n', 'age,charges,plan\n1,2\n', 'age\n"unclosed\n', 'age,charges,plan\n'])
    expect((await score(csv, { type: 'text/csv' })).status, csv).toBe(400);
  for (const csv of [
    'age,charges,plan\nx,1,pro\n',
    'age,charges,plan\n1,1,gold\n',
    'age,charges\n1,1\n',
    'age,charges,plan,more\n1,1,pro,2\n',
  ])
    expect((await score(csv, { type: 'text/csv' })).status, csv).toBe(422);
  expect((await score('x', { type: 'application/x-parquet' })).status).toBe(415);
});
