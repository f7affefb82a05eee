import type { JsonObject } from '@ingot/core/json';
import type { ServedVersion } from '../../model-host.ts';
import { exampleRow } from '../signature/example-row.ts';
import { generalPaths } from './general-paths.ts';
import { inferExample } from './infer-example.ts';
import { predictionSchema, rowSchema } from './schema.ts';

/** What a document describes. */
export interface OpenapiSource {
  readonly title: string;
  /** The server's own version. */
  readonly version: string;
  /** One version a model: the one that answers by default. */
  readonly models: readonly ServedVersion[];
  /** Leaves out the routes that are not about these models. */
  readonly modelsOnly?: boolean;
}

/** Writes the OpenAPI 3.1 document of a server, or of one model. */
export function openapiDocument({ title, version, models, modelsOnly = false }: OpenapiSource): JsonObject {
  return {
    openapi: '3.1.0',
    info: { title, version },
    paths: Object.assign({}, modelsOnly ? {} : generalPaths(), ...models.map(modelPaths)),
    components: { schemas: Object.assign({ Error: ERROR }, ...models.map(modelSchemas)) },
  };
}

const ERROR: JsonObject = {
  type: 'object',
  required: ['error', 'code'],
  properties: {
    error: { type: 'string' },
    code: { type: 'string' },
    hint: { type: 'string' },
    nearest: { type: 'string' },
    missing: { type: 'array', items: { type: 'string' } },
    extra: { type: 'array', items: { type: 'string' } },
    wrong: { type: 'array', items: { type: 'object' } },
    example: {},
  },
};

function modelSchemas(served: ServedVersion): JsonObject {
  return {
    [schemaName(served, 'Row')]: rowSchema(served.signature),
    [schemaName(served, 'Prediction')]: predictionSchema(served.signature),
  };
}

function modelPaths(served: ServedVersion): JsonObject {
  const name = encodeURIComponent(served.model);
  const tags = [served.model];
  const example = exampleRow(served);
  const inferred = inferExample(served);
  const examples: JsonObject = example === undefined ? {} : { example: [example] };
  return {
    [`/predict/${name}`]: {
      post: {
        tags,
        operationId: `predict_${operationName(served)}`,
        summary: served.description ?? `Predict with ${served.model}`,
        parameters: [
          query('version', 'A version number or label; default: the one configured first.'),
          query('method', 'Another method of the model, like predict_proba.'),
        ],
        requestBody: json({ oneOf: [{ type: 'array', items: row(served) }, row(served)] }, examples),
        responses: { 200: answer(served), ...failures() },
      },
    },
    [`/models/${name}/invocations`]: {
      post: {
        tags,
        operationId: `invocations_${operationName(served)}`,
        summary: 'The same in the form of MLflow’s scoring protocol',
        requestBody: json(
          { type: 'object', properties: { dataframe_records: { type: 'array', items: row(served) } } },
          example === undefined ? {} : { example: { dataframe_records: [example] } },
        ),
        responses: { 200: json({ type: 'object', properties: { predictions: predictions(served) } }), ...failures() },
      },
    },
    [`/v2/models/${name}`]: {
      get: {
        tags,
        operationId: `metadata_${operationName(served)}`,
        summary: 'Inputs and outputs as tensors',
        responses: { 200: json({ type: 'object' }), ...failures() },
      },
    },
    [`/v2/models/${name}/infer`]: {
      post: {
        tags,
        operationId: `infer_${operationName(served)}`,
        summary: 'The same in the form of the Open Inference Protocol',
        requestBody: json(
          {
            type: 'object',
            required: ['inputs'],
            properties: { inputs: { type: 'array', items: { type: 'object' } } },
          },
          inferred === undefined ? {} : { example: inferred },
        ),
        responses: { 200: json({ type: 'object' }), ...failures() },
      },
    },
  };
}

function row(served: ServedVersion): JsonObject {
  return { $ref: `#/components/schemas/${schemaName(served, 'Row')}` };
}

function predictions(served: ServedVersion): JsonObject {
  return { type: 'array', items: { $ref: `#/components/schemas/${schemaName(served, 'Prediction')}` } };
}

function answer(served: ServedVersion): JsonObject {
  const text = { type: 'string' };
  const labels: JsonObject =
    served.signature?.outputs.some((output) => output.classes !== undefined) === true
      ? { labels: { type: 'array' } }
      : {};
  return json({
    type: 'object',
    required: ['predictions', 'model', 'version', 'digest'],
    properties: { predictions: predictions(served), ...labels, model: text, version: text, digest: text },
  });
}

function failures(): JsonObject {
  const error = json({ $ref: '#/components/schemas/Error' });
  return Object.fromEntries([400, 404, 413, 415, 422, 429, 500, 503, 504].map((status) => [status, error]));
}

function json(schema: JsonObject, more: JsonObject = {}): JsonObject {
  return { description: 'JSON', content: { 'application/json': { schema, ...more } } };
}

function query(name: string, description: string): JsonObject {
  return { name, in: 'query', required: false, description, schema: { type: 'string' } };
}

/** Component names allow letters, digits, `.`, `-` and `_` only. */
function schemaName(served: ServedVersion, what: string): string {
  return `${operationName(served)}.${what}`;
}

function operationName(served: ServedVersion): string {
  return served.model.replace(/[^A-Za-z0-9._-]/g, '_');
}
