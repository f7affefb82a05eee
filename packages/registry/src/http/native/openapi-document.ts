import type { OpenAPIV3_1 } from 'openapi-types';

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

const WRITES: ReadonlySet<string> = new Set(['post', 'put', 'patch', 'delete']);

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key with the same request gives the same answer for 24 hours, and is done once.',
  schema: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[!-~]+$' },
};

const MIN_SEQ = {
  name: 'ingot-min-seq',
  in: 'header',
  required: false,
  description: 'Answer with nothing older than this event of the model’s log.',
  schema: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
};

/**
 * Adds to a document what its operations have by the hooks: the headers that these read.
 * @param keyless ids of operations that take no `Idempotency-Key`.
 */
export function completeDocument<T extends { readonly paths?: object }>(document: T, keyless: ReadonlySet<string>): T {
  const items: readonly unknown[] = Object.values(document.paths ?? {});
  for (const item of items) if (isObject(item)) addHeaders(item, keyless);
  return document;
}

function addHeaders(item: object, keyless: ReadonlySet<string>): void {
  for (const [method, operation] of Object.entries(item)) {
    if (!isObject(operation) || keyless.has(String(Reflect.get(operation, 'operationId')))) continue;
    const own: unknown = Reflect.get(operation, 'parameters');
    const header = WRITES.has(method) ? IDEMPOTENCY_KEY : MIN_SEQ;
    Reflect.set(operation, 'parameters', [...(Array.isArray(own) ? own : []), header]);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
