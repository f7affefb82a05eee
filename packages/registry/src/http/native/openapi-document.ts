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

/** Gives paths of routes that lie beside the native API, whose operations answer with these problems, by status. */
export type PathsBeside = (problems: Readonly<Record<string, object>>) => Readonly<Record<string, object>>;

/** Adds paths to a document, with the problems that its writing operations answer with. */
export function withPaths<T extends { readonly paths?: object }>(document: T, beside: PathsBeside | undefined): T {
  const answers = within(document, 'paths', NATIVE_MODELS, 'post', 'responses');
  if (beside === undefined || !isObject(answers)) return document;
  const problems = Object.fromEntries(Object.entries(answers).filter(([status]) => Number(status) >= 400));
  return { ...document, paths: { ...document.paths, ...beside(problems) } };
}

/** An operation of it answers with every problem that a writing one can have. */
const NATIVE_MODELS = '/api/v1/models';

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

const IF_NONE_MATCH = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'ETags of answers that are there already: one of them spares the body (304).',
  schema: { type: 'string' },
};

const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'ETag of what was read before: it is changed only while it is still that.',
  schema: { type: 'string' },
};

/** Operations that are done only while what they change is what the caller has read. */
const CONDITIONAL: ReadonlySet<string> = new Set([
  ...['updateModel', 'deleteModel', 'updateVersion', 'deleteVersion'],
  ...['retireVersion', 'setStage', 'setAlias', 'removeAlias'],
]);

const NOT_MODIFIED = { description: 'It is what `If-None-Match` names.' };

const ETAG = { ETag: { description: 'Strong: equal exactly when the answers are.', schema: { type: 'string' } } };

/**
 * Adds to a document what its operations have by the hooks: the headers that these read, and what they answer by them.
 * @param keyless ids of operations that take no `Idempotency-Key`.
 */
export function completeDocument<T extends { readonly paths?: object }>(document: T, keyless: ReadonlySet<string>): T {
  const items: readonly unknown[] = Object.values(document.paths ?? {});
  for (const item of items) if (isObject(item)) addHeaders(item, keyless);
  return document;
}

function addHeaders(item: object, keyless: ReadonlySet<string>): void {
  for (const [method, operation] of Object.entries(item)) {
    if (!isObject(operation)) continue;
    const id = String(Reflect.get(operation, 'operationId'));
    if (WRITES.has(method)) {
      if (!keyless.has(id)) addParameters(operation, IDEMPOTENCY_KEY);
      if (CONDITIONAL.has(id)) addParameters(operation, IF_MATCH);
      continue;
    }
    addParameters(operation, MIN_SEQ);
    if (answersJson(operation)) addConditions(operation);
  }
}

function addParameters(operation: object, ...parameters: readonly object[]): void {
  const own: unknown = Reflect.get(operation, 'parameters');
  Reflect.set(operation, 'parameters', [...(Array.isArray(own) ? own : []), ...parameters]);
}

function addConditions(operation: object): void {
  const responses: unknown = Reflect.get(operation, 'responses');
  if (!isObject(responses)) return;
  addParameters(operation, IF_NONE_MATCH);
  const found: unknown = Reflect.get(responses, '200');
  Reflect.set(responses, '200', { ...(isObject(found) && found), headers: ETAG });
  Reflect.set(responses, '304', NOT_MODIFIED);
}

/** Whether it answers a document: streams and redirections have no ETag. */
function answersJson(operation: object): boolean {
  const found = within(operation, 'responses', '200', 'content', 'application/json');
  return found !== undefined;
}

function within(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => (isObject(at) ? Reflect.get(at, key) : undefined), value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
