import { gzipSync } from 'node:zlib';
import { digestOf } from '@ingot/core/digest';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trialApp, type TrialApp } from '../testing/registry-app.ts';
import { nativeApi } from './native-api.ts';
import { NATIVE_ROUTES } from './native-routes.ts';

const recipe = { digest: digestOf('recipe'), pack: 'upload-1/1', offset: 0, length: 10 };
const draftOf = (content: string) => ({
  manifest: digestOf(content),
  recipe,
  sizeBytes: 10,
  fileCount: 1,
  flavor: 'sklearn',
  scan: 'not scanned',
});

let trial: TrialApp;
let names = 0;

beforeAll(async () => {
  trial = await trialApp({ protocols: [nativeApi(NATIVE_ROUTES)] });
});
afterAll(() => trial[Symbol.asyncDispose]());

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

async function ask(method: Method, path: string, body?: object, headers: Record<string, string> = {}) {
  const reply = await trial.app.inject({ method, url: `/api/v1${path}`, headers, ...(body && { payload: body }) });
  return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json(), headers: reply.headers };
}

/** A model with versions of these contents; gives its path. */
async function modelWith(...contents: readonly string[]): Promise<string> {
  names += 1;
  const path = `/models/team%2Fchurn-${names}`;
  await ask('POST', '/models', { name: `team/churn-${names}` });
  for (const content of contents) await ask('POST', `${path}/versions`, { draft: draftOf(content) });
  return path;
}

/** What the writes that heed `If-Match` are asked with, by what follows the model's address. */
const BODIES: Readonly<Record<string, object>> = {
  '': { description: 'x' },
  '/versions/1': { description: 'x' },
  '/versions/1/stage': { stage: 'Staging' },
  '/aliases/champion': { number: 1 },
};

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, object>>;
}

function operationsOf({ paths }: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }) {
  return Object.entries(paths).flatMap(([address, item]) =>
    Object.entries(item).map(([method, { operationId, parameters = [], responses }]) => ({
      id: operationId,
      method: METHODS[method] ?? 'GET',
      address,
      headers: parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name),
      statuses: Object.keys(responses),
    })),
  );
}

const METHODS: Readonly<Record<string, Method>> = { post: 'POST', put: 'PUT', patch: 'PATCH', delete: 'DELETE' };

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1 and has every route', async () => {
    const { body } = await ask('GET', '/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const result = await new Validator().validate(structuredClone(body));
    expect(result).toEqual({ valid: true });
    const documented = Object.keys(body.paths);
    for (const path of [
      '/models/{name}',
      '/models/{name}/versions/{version}',
      '/models/{name}/aliases/{alias}',
      '/resolve',
    ])
      expect(documented).toContain(`/api/v1${path}`);
  });

  test('says of every operation which problems it answers with', async () => {
    const { body } = await ask('GET', '/openapi.json');
    for (const [path, item] of Object.entries<
      Record<string, { responses: Record<string, object>; operationId: string }>
    >(body.paths))
      for (const { responses, operationId } of Object.values(item)) {
        expect(operationId, path).toBeTypeOf('string');
        expect(Object.keys(responses), path).toEqual(
          expect.arrayContaining(['400', '401', '403', '429', '431', '500', '503']),
        );
        expect(Object.keys(responses['400'] ?? {}), path).toContain('content');
      }
  });

  test('names If-Match where it is heeded, and what If-None-Match is answered with', async () => {
    const { body } = await ask('GET', '/openapi.json');
    const path = await modelWith('a');
    await ask('PUT', `${path}/aliases/champion`, { number: 1 });
    const heeds = operationsOf(body).filter(({ headers }) => headers.includes('If-Match'));
    expect(heeds.length).toBe(8);
    for (const { method, address } of heeds) {
      const at = address
        .replace('/api/v1/models/{name}', path)
        .replace('{version}', '1')
        .replace('{alias}', 'champion');
      const payload = method === 'DELETE' || at.endsWith('/retire') ? undefined : BODIES[at.slice(path.length)];
      expect((await ask(method, at, payload, { 'if-match': '"another"' })).status, `${method} ${at}`).toBe(412);
    }
    const reads = operationsOf(body).filter(({ headers }) => headers.includes('If-None-Match'));
    const others = operationsOf(body).filter(
      ({ id, method }) => method === 'GET' && !reads.some((read) => read.id === id),
    );
    expect(others.map(({ id }) => id).sort()).toEqual(['followEvents']);
    for (const { statuses } of reads) expect(statuses).toContain('304');
    expect((await ask('GET', path, undefined, { 'if-none-match': '*' })).status).toBe(304);
  });

  test('a search whose body is none has a documented answer', async () => {
    const { body } = await ask('GET', '/openapi.json');
    const { statuses } = operationsOf(body).find(({ id }) => id === 'searchVersionsAtLength') ?? { statuses: [] };
    const reply = await trial.app.inject({ method: 'POST', url: '/api/v1/versions/search', payload: 'text' });
    expect(statuses).toContain(String(reply.statusCode));
  });
});

describe('the native API', () => {
  test('says what it is', async () => {
    expect((await ask('GET', '')).body).toMatchObject({ server: 'ingot', api: 'v1' });
  });

  test('publishes, resolves and moves', async () => {
    const path = await modelWith('a', 'b');
    expect((await ask('GET', path)).body).toMatchObject({ versions: 2, latest: { number: 2 }, aliases: {} });
    const moved = await ask('PUT', `${path}/aliases/production`, { number: 1, reason: 'better' });
    expect(moved.body).toEqual({ alias: 'production', from: null, to: 1 });
    expect((await ask('GET', `${path}/aliases/production`)).body).toMatchObject({ number: 1, manifest: digestOf('a') });
    for (const version of ['1', '@production', `@${digestOf('a')}`])
      expect((await ask('GET', `${path}/versions/${version}`)).body).toMatchObject({ number: 1 });
    const name = decodeURIComponent(path.slice('/models/'.length));
    const resolved = await ask('GET', `/resolve?ref=${encodeURIComponent(`${name}@production`)}`);
    expect(resolved.body).toMatchObject({ number: 1, recipe, ref: `${name}@production` });
    expect(resolved.headers['ingot-seq']).toBe(String(resolved.body.seq));
  });

  test('an event that an answer must not be below is a whole number, not an empty text', async () => {
    const path = await modelWith('a');
    for (const wanted of ['', ' ', '-1', '1e2', '0x1', '9007199254740993'])
      expect((await ask('GET', path, undefined, { 'ingot-min-seq': wanted })).status, wanted).toBe(400);
    expect((await ask('GET', path, undefined, { 'ingot-min-seq': '1' })).status).toBe(200);
  });

  test('answers what is wrong with the code and the nearest name', async () => {
    const path = await modelWith('a');
    await ask('PUT', `${path}/aliases/production`, { number: 1 });
    const { status, body, headers } = await ask('GET', `${path}/aliases/prodction`);
    expect([status, body.code]).toEqual([404, 'alias-not-found']);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(body.nearest).toMatch(/@production$/);
  });

  test('pages through versions, newest first, each once', async () => {
    const path = await modelWith('a', 'b', 'c', 'd', 'e');
    const found: number[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const { body } = await ask('GET', `${path}/versions?limit=2${next === '' ? '' : `&cursor=${next}`}`);
      found.push(...body.items.map(({ number }: { number: number }) => number));
      next = body.next;
    }
    expect(found).toEqual([5, 4, 3, 2, 1]);
  });

  test.each([
    ['/models?limit=0', 400],
    ['/models?limit=1000000000', 400],
    ['/models?limit=-1', 400],
    ['/models?cursor=zzz', 400],
    ['/models?cursor=WyJoaXN0b3J5IiwxXQ', 400],
    ['/models/%E0%A4%A', 400],
    ['/models/..%2F..%2Fetc', 400],
    ['/models/a%00b', 400],
    ['/models/CON', 400],
    ['/resolve', 400],
    ['/resolve?ref=churn%40', 400],
    ['/resolve?ref=a&ref=b', 400],
    ['/models/none', 404],
    ['/nothing', 404],
  ])('answers GET %s with a problem %i', async (path, expected) => {
    const { status, body, headers } = await ask('GET', path);
    expect(status).toBe(expected);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ status: expected, code: expect.any(String), detail: expect.any(String) });
  });

  test('may be missing where nothing must be said', async () => {
    const bare = async (url: string) => (await trial.app.inject({ method: 'POST', url })).statusCode;
    expect(await bare('/api/v1/models/churn/versions/1/retire')).not.toBe(400);
    expect(await bare('/api/v1/retention')).toBe(200);
    expect(await bare('/api/v1/models')).toBe(400);
  });

  test('takes JSON and nothing else', async () => {
    const send = (type: string, payload: string | Buffer) =>
      trial.app.inject({ method: 'POST', url: '/api/v1/models', headers: { 'content-type': type }, payload });
    expect((await send('text/plain', '{"name":"x"}')).statusCode).toBe(415);
    expect((await send('application/x-www-form-urlencoded', 'name=x')).statusCode).toBe(415);
    const zipped = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const refused = await trial.app.inject({
      method: 'POST',
      url: '/api/v1/models',
      headers: zipped,
      payload: gzipSync('{"name":"x"}'),
    });
    expect([refused.statusCode, refused.json().detail]).toEqual([415, expect.stringContaining('not as gzip')]);
    expect((await send('application/json', '{"name":"x","name":"y"}')).json().detail).toContain('twice');
    expect((await send('application/json', Buffer.from('{"name":"ä"}', 'latin1'))).json().detail).toContain('UTF-8');
    expect((await send('application/json; charset=latin1', '{"name":"x"}')).statusCode).toBe(415);
    expect((await send('application/json', '{"name":"x","extra":1}')).statusCode).toBe(400);
    expect((await send('application/json', '{"name":"x","__proto__":{"admin":true}}')).statusCode).toBe(400);
    expect((await send('application/json', `{"name":"${'x'.repeat(2_000_000)}"}`)).statusCode).toBe(413);
    expect((await send('application/json', '')).statusCode).toBe(400);
  });
});

describe('a search by POST', () => {
  test('finds what the same search by GET finds, by a filter longer than an address may be, page after page', async () => {
    const path = await modelWith('long-a', 'long-b', 'long-c');
    const name = decodeURIComponent(path).replace('/models/', '');
    const short = `name = '${name}'`;
    const other = (n: number): string => `name != 'none-${n}-${'x'.repeat(500)}'`;
    const filter = [short, ...Array.from({ length: 50 }, (_, n) => other(n))].join(' AND ');
    const wanted = await ask('GET', `/versions?limit=2&filter=${encodeURIComponent(short)}`);
    const found = await ask('POST', '/versions/search', { filter, limit: 2 });
    expect([found.status, found.body.items]).toEqual([200, wanted.body.items]);
    const rest = await ask('POST', '/versions/search', { filter, limit: 2, cursor: found.body.next });
    expect(rest.body.items.map(({ number }: { number: number }) => number)).toEqual([1]);
  });

  test('refuses what it does not understand', async () => {
    expect((await ask('POST', '/versions/search', { filter: 'metrics.auc >' })).body.code).toBe('usage');
    expect((await ask('POST', '/versions/search', { limit: '2' })).body.code).toBe('invalid-request');
  });
});

describe('another method than an address takes', () => {
  test.each([
    ['PUT', '/models', 'GET, HEAD, POST'],
    ['POST', '/models/team%2Fchurn', 'DELETE, GET, HEAD, PATCH'],
    ['OPTIONS', '/versions', 'GET, HEAD'],
  ] as const)('is refused with those that it takes: %s %s', async (method, path, allow) => {
    const { status, headers, body } = await ask(method, path);
    expect([status, headers.allow]).toEqual([405, allow]);
    expect(body).toMatchObject({ status: 405, code: 'invalid-request', hint: `it takes ${allow}` });
  });

  test('is not taken for an address where nothing is', async () => {
    const { status, headers, body } = await ask('PUT', '/nothing');
    expect([status, headers.allow, body.code]).toEqual([404, undefined, 'not-found']);
  });
});

describe('an ETag', () => {
  test('spares who has the answer, and changes with it', async () => {
    const path = await modelWith('a', 'b');
    await ask('PUT', `${path}/aliases/production`, { number: 1 });
    const { etag } = (await ask('GET', `${path}/aliases/production`)).headers;
    const again = await ask('GET', `${path}/aliases/production`, undefined, { 'if-none-match': `"x", W/${etag}` });
    expect([again.status, again.body]).toEqual([304, undefined]);
    await ask('PUT', `${path}/aliases/production`, { number: 2 });
    expect((await ask('GET', `${path}/aliases/production`, undefined, { 'if-none-match': String(etag) })).status).toBe(
      200,
    );
  });

  test('guards a move: only who knows where the alias is moves it', async () => {
    const path = await modelWith('a', 'b');
    const alias = `${path}/aliases/production`;
    const first = await ask('PUT', alias, { number: 1 }, { 'if-none-match': '*' });
    expect(first.status).toBe(200);
    const etag = String(first.headers.etag);
    expect(etag).toBe((await ask('GET', alias)).headers.etag);
    expect((await ask('PUT', alias, { number: 2 }, { 'if-none-match': '*' })).status).toBe(412);
    expect((await ask('PUT', alias, { number: 2 }, { 'if-match': etag })).status).toBe(200);
    const late = await ask('PUT', alias, { number: 1 }, { 'if-match': etag });
    expect([late.status, late.body.code]).toEqual([412, 'precondition-failed']);
    expect((await ask('DELETE', alias, undefined, { 'if-match': etag })).status).toBe(412);
    expect((await ask('GET', alias)).body.number).toBe(2);
  });

  test('guards changes of a version', async () => {
    const path = await modelWith('a');
    const { etag } = (await ask('GET', `${path}/versions/1`)).headers;
    const change = (description: string) =>
      ask('PATCH', `${path}/versions/1`, { description }, { 'if-match': String(etag) });
    expect((await change('first')).status).toBe(200);
    expect((await change('second')).status).toBe(412);
    expect((await ask('GET', `${path}/versions/1`)).body.description).toBe('first');
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (key: string) => ({ 'idempotency-key': key });

  test('makes a repeated write happen once, with the same answer', async () => {
    const path = await modelWith('a');
    const publish = () =>
      ask(
        'POST',
        `${path}/versions`,
        { draft: draftOf('b'), always: true },
        keyed(`once ${path}`.replaceAll(' ', '-')),
      );
    const [first, second] = [await publish(), await publish()];
    expect(first.status).toBe(201);
    expect([second.status, second.body, second.headers['idempotent-replayed']]).toEqual([201, first.body, 'true']);
    expect((await ask('GET', path)).body.versions).toBe(2);
  });

  test('lets the second of two at once wait for the first', async () => {
    const path = await modelWith('a');
    const headers = keyed(`at-once-${names}`);
    const body = { draft: draftOf('b'), always: true };
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask('POST', `${path}/versions`, body, headers)));
    expect(new Set(answers.map(({ body: answer }) => answer.version.number))).toEqual(new Set([2]));
    expect((await ask('GET', path)).body.versions).toBe(2);
  });

  test('is refused for another request', async () => {
    const path = await modelWith('a', 'b');
    const headers = keyed(`other-${names}`);
    await ask('PUT', `${path}/aliases/production`, { number: 1 }, headers);
    const other = await ask('PUT', `${path}/aliases/production`, { number: 2 }, headers);
    expect([other.status, other.body.code]).toEqual([409, 'conflict']);
    expect((await ask('GET', `${path}/aliases/production`)).body.number).toBe(1);
  });

  test('repeats a refusal, too', async () => {
    const path = await modelWith('a');
    const headers = keyed(`refusal-${names}`);
    const refused = await ask('PUT', `${path}/aliases/production`, { number: 9 }, headers);
    await ask('POST', `${path}/versions`, { draft: draftOf('b'), number: 9 });
    const again = await ask('PUT', `${path}/aliases/production`, { number: 9 }, headers);
    expect([refused.status, again.status, again.body]).toEqual([404, 404, refused.body]);
  });

  test.each(['', 'x'.repeat(201), 'with space'])('must be visible ASCII of 200 characters at most: %j', async (key) => {
    expect((await ask('POST', '/models', { name: 'keyed' }, keyed(key))).status).toBe(400);
  });
});
