import { expect, test } from 'vitest';
import { connectRegistry } from './registry.ts';

const VERSION = { number: 7, manifest: 'sha256:aa', status: 'active', publishedAt: '', flavor: 'onnx', sizeBytes: 1 };

/** Answers by path, and notes what was asked. */
function answering(answers: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const tokens: unknown[] = [];
  const ask: typeof fetch = async (input, init) => {
    const path = String(input).replace('https://models.example.com/api/v1', '');
    asked.push(path);
    tokens.push(new Headers(init?.headers).get('authorization'));
    const body = answers[path];
    return body === undefined
      ? Response.json({ code: 'alias-not-found', detail: 'no such alias' }, { status: 404 })
      : Response.json(body);
  };
  return { registry: connectRegistry('https://models.example.com/', { token: 'canary', fetch: ask }), asked, tokens };
}

test('a reference is resolved with the token', async () => {
  const { registry, tokens } = answering({
    '/resolve?ref=team%2Fchurn%40production': { ...VERSION, model: 'team/churn' },
  });
  expect(await registry.resolve('team/churn@production')).toMatchObject({ model: 'team/churn', number: 7 });
  expect(tokens).toEqual(['Bearer canary']);
});

test('versions are paged through, each page when it is needed', async () => {
  const path = '/models/team%2Fchurn/versions?limit=100';
  const { registry, asked } = answering({
    [path]: { items: [VERSION], next: 'a+b' },
    [`${path}&cursor=a%2Bb`]: { items: [{ ...VERSION, number: 6 }] },
  });
  const numbers: number[] = [];
  for await (const { number } of registry.versions('team/churn')) {
    numbers.push(number);
    if (number === 7) expect(asked).toHaveLength(1);
  }
  expect(numbers).toEqual([7, 6]);
});

test('what the server says is wrong has its code, and an answer that is none is refused', async () => {
  const { registry } = answering({ '/models/churn/aliases': { aliases: 'none' } });
  await expect(registry.resolve('churn@x')).rejects.toMatchObject({
    code: 'alias-not-found',
    message: 'no such alias',
  });
  await expect(registry.aliases('churn')).rejects.toMatchObject({ code: 'invalid-response' });
});

test('a search by a long filter goes as a body, page after page', async () => {
  const bodies: unknown[] = [];
  const ask: typeof fetch = async (input, init) => {
    expect([String(input), init?.method]).toEqual(['https://models.example.com/api/v1/versions/search', 'POST']);
    bodies.push(JSON.parse(String(init?.body)));
    return Response.json({ items: [{ ...VERSION, model: 'churn' }], ...(bodies.length === 1 && { next: 'a' }) });
  };
  const registry = connectRegistry('https://models.example.com', { fetch: ask });
  const filter = Array.from({ length: 400 }, (_, n) => `version = ${n}`).join(' OR ');
  const found: string[] = [];
  for await (const { model } of registry.search(filter, { sort: 'published' })) found.push(model);
  expect(found).toEqual(['churn', 'churn']);
  const asked = { limit: 100, filter, sort: 'published' };
  expect(bodies).toEqual([asked, { ...asked, cursor: 'a' }]);
});
