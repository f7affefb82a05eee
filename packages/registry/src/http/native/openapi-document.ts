import type { OpenAPIV3, OpenAPIV3_1 } from 'openapi-types';

/** The head of the OpenAPI document. */
export function documentInfo(version: string): Partial<OpenAPIV3_1.Document> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Ingot registry',
      version,
      description:
        'Models, versions, aliases and their history. Errors are `application/problem+json`. Every GET has a strong ETag; every write takes an `Idempotency-Key`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    components: {
      securitySchemes: {
        token: { type: 'http' as const, scheme: 'bearer' },
        password: { type: 'http' as const, scheme: 'basic' },
      },
    },
    security: [{}, { token: [] }, { password: [] }],
  };
}

type Document = Partial<OpenAPIV3.Document | OpenAPIV3_1.Document>;

const WRITES: ReadonlySet<string> = new Set(['post', 'put', 'patch', 'delete']);

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key with the same request gives the same answer for 24 hours, and is done once.',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
};

const MIN_SEQ = {
  name: 'ingot-min-seq',
  in: 'header',
  required: false,
  description: 'Answer with nothing older than this event of the model’s log.',
  schema: { type: 'integer', minimum: 0 },
};

/** Adds what every operation has: the headers that hooks read. */
export function completeDocument(document: Document): Document {
  const paths: Record<string, unknown> = {};
  for (const [path, item] of Object.entries(document.paths ?? {})) paths[path] = withHeaders(item ?? {});
  const completed: unknown = { ...document, paths };
  return isDocument(completed) ? completed : document;
}

function withHeaders(item: object): object {
  const operations = Object.entries(item).map(([method, operation]) => {
    if (typeof operation !== 'object' || operation === null) return [method, operation];
    const own: unknown = Reflect.get(operation, 'parameters');
    const header = WRITES.has(method) ? IDEMPOTENCY_KEY : MIN_SEQ;
    return [method, { ...operation, parameters: [...(Array.isArray(own) ? own : []), header] }];
  });
  return Object.fromEntries(operations);
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && 'openapi' in value;
}
