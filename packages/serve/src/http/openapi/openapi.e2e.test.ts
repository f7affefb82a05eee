import { Validator } from '@seriousme/openapi-schema-validator';
import type { Signature } from '@ingot/core/signature';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MemoryModel, echo, memoryHost } from '../testing/memory-host.ts';
import { ADDER, CHURN, ECHO, IMAGE, IRIS } from '../testing/models.ts';
import { type ServedApp, serveApp } from '../testing/served-app.ts';

const everything: Signature = {
  origin: 'metadata',
  inputs: [
    { name: 'when', type: 'datetime' },
    { name: 'weekend', type: 'boolean', nullable: true },
    { name: 'rooms', type: 'integer', min: 2, max: 9 },
    { name: 'area', type: 'float', nullable: false, format: 'm²' },
    { name: 'zone', type: 'categorical', categories: [1, 2, true, 'x'] },
    { name: 'note', type: 'string', description: 'words' },
  ],
  outputs: [
    { name: 'rent', type: 'float', format: 'percentage' },
    { name: 'kind', type: 'integer', classes: ['a', 'b'] },
    { name: 'map', type: 'tensor', dtype: 'FP32', shape: [-1, 2, -1] },
  ],
};
const guessed: Signature = {
  origin: 'captured',
  partial: true,
  inputs: [{ name: 'input', type: 'tensor', dtype: 'FP64', shape: [-1, 3] }],
  outputs: [],
};
const ROWS: MemoryModel = { name: 'everything', signature: everything, predict: echo, description: 'All "types" <b>' };
const COUNTED: MemoryModel = { name: 'counted', signature: guessed, predict: echo };

let served: ServedApp;
beforeAll(async () => {
  served = await serveApp({ host: memoryHost([...CHURN, ADDER, ECHO, IMAGE, IRIS, ROWS, COUNTED]) });
});
afterAll(() => served[Symbol.asyncDispose]());

async function documentAt(path: string): Promise<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(Object(await (await fetch(served.url + path)).json())));
}

test('the documents of the server and of each kind of model are valid OpenAPI 3.1', async () => {
  const models = ['churn', 'simple', 'echo', 'team%2Fimage', 'iris', 'everything', 'counted'];
  for (const path of ['/openapi.json', ...models.map((model) => `/v2/models/${model}/openapi.json`)]) {
    const result = await new Validator().validate(await documentAt(path));
    expect(result, path).toMatchObject({ valid: true });
  }
});

test('every example in a document is answered when it is posted as it stands', async () => {
  const { paths } = await documentAt('/openapi.json');
  let posted = 0;
  for (const [path, { post }] of Object.entries(Object(paths)) as [string, { post?: unknown }][]) {
    const example: unknown = Object(post).requestBody?.content?.['application/json']?.example;
    if (example === undefined) continue;
    const answer = await fetch(served.url + path, { method: 'POST', body: JSON.stringify(example) });
    expect(answer.status, `${path}: ${await answer.text()}`).toBe(200);
    posted += 1;
  }
  // Rows, scoring and tensors of six models; the one without a signature has no example.
  expect(posted).toBe(18);
});
