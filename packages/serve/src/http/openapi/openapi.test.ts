import { expect, test } from 'vitest';
import { memoryHost } from '../testing/memory-host.ts';
import { CHURN, ECHO, IMAGE, IRIS } from '../testing/models.ts';
import { openapiDocument } from './document.ts';
import { featureSchema, predictionSchema, rowSchema } from './schema.ts';

const models = memoryHost([...CHURN.slice(0, 1), ECHO, IMAGE, IRIS]).index();

test('every reference in a document leads somewhere', () => {
  const document = openapiDocument({ title: 't', version: '1', models });
  const text = JSON.stringify(document);
  const targets = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]);
  expect(targets.length).toBeGreaterThan(5);
  const schemas = Object.keys(Object(document.components).schemas);
  expect(targets.filter((target) => target === undefined || !schemas.includes(target))).toEqual([]);
  expect(schemas.every((name) => /^[A-Za-z0-9._-]+$/.test(name))).toBe(true);
});

test('each model has its routes, with a row that can be sent as it stands', () => {
  const { paths } = openapiDocument({ title: 't', version: '1', models });
  expect(Object.keys(Object(paths))).toEqual(
    expect.arrayContaining(['/predict/churn', '/predict/team%2Fimage', '/v2/models/iris/infer', '/metrics']),
  );
  expect(Object(paths)['/predict/churn'].post.requestBody.content['application/json'].example).toEqual([
    { age: 54, charges: 0.5, plan: 'basic' },
  ]);
});

test('a document of one model leaves the rest out', () => {
  const { paths } = openapiDocument({ title: 'churn', version: '7', models: models.slice(0, 1), modelsOnly: true });
  expect(Object.keys(Object(paths)).every((path) => path.includes('churn'))).toBe(true);
});

test('schemas say types, categories, shapes and which values may be missing', () => {
  expect(rowSchema(models[0]?.signature)).toMatchObject({
    required: ['age', 'charges', 'plan'],
    additionalProperties: false,
    properties: {
      age: { type: 'integer' },
      charges: { type: ['number', 'null'], description: 'a month' },
      plan: { enum: ['basic', 'pro', null] },
    },
  });
  expect(featureSchema({ name: 'x', type: 'tensor', dtype: 'INT32', shape: [-1, 2, -1] }, false)).toEqual({
    type: 'array',
    minItems: 2,
    maxItems: 2,
    items: { type: 'array', items: { type: 'integer' } },
  });
  expect(predictionSchema(undefined)).toEqual({});
  expect(rowSchema(undefined)).toMatchObject({ type: 'object' });
});
