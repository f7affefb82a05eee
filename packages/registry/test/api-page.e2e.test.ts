import { fileURLToPath } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import type { GuardedRoute } from '../src/http/route-access.ts';
import { trialServer } from './trial-server.ts';

const PAGE = fileURLToPath(new URL('../../../docs/api-routes.md', import.meta.url));

interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly summary?: string; readonly tags?: readonly string[] }>>>
  >;
}

test('docs/api-routes.md lists every operation of the OpenAPI document, with who may ask for it (`vitest -u` writes it)', async () => {
  await using server = await trialServer();
  const document: OpenApi = JSON.parse(await (await server.ask('/api/v1/openapi.json')).text());
  const access = new Map(server.routes.map((route) => [`${route.method} ${templateOf(route.url)}`, accessOf(route)]));
  const rows = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { summary = '', tags = [] }]) => {
      const key = `${method.toUpperCase()} ${path}`;
      return {
        tag: tags[0] ?? 'other',
        line: `| \`${key.replace('/api/v1/', '/')}\` | ${summary} | ${access.get(key)} |`,
      };
    }),
  );
  expect(rows.length).toBeGreaterThan(50);
  const groups = [...new Set(rows.map(({ tag }) => tag))].sort().map((tag) => {
    const lines = rows.filter((row) => row.tag === tag).map(({ line }) => line);
    return [
      `## ${tag[0]?.toUpperCase()}${tag.slice(1)}`,
      '',
      '| request | what it does | needs |',
      '| --- | --- | --- |',
      ...lines,
      '',
    ];
  });
  const text = [
    '# Routes of the native API',
    '',
    'All of them lie under `/api/v1`. [The native API](api.md) says what holds for each; every field is in the OpenAPI document at `/api/v1/openapi.json`, of which this page is made (`packages/registry/test/api-page.e2e.test.ts`).',
    '',
    ...groups.flat(),
  ].join('\n');
  await expect(text).toMatchFileSnapshot(PAGE);
});

test('the OpenAPI document is valid with all that lies beside the native API, and has no pattern that only some tools read', async () => {
  await using server = await trialServer();
  const text = await (await server.ask('/api/v1/openapi.json')).text();
  expect(await new Validator().validate(JSON.parse(text))).toEqual({ valid: true });
  const patterns = [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, pattern]) => pattern ?? '');
  expect(patterns.length).toBeGreaterThan(50);
  expect(patterns.filter((pattern) => /\\\\[pPu]|\(\?(?!:)/.test(pattern))).toEqual([]);
});

/** `/models/:name` as OpenAPI writes it: `/models/{name}`. */
function templateOf(url: string): string {
  const template = url.replace(/:([A-Za-z]+)/g, '{$1}').replace(/(?<=.)\/$/, '');
  // A key has slashes, which a router's parameter has not.
  return template.replace(/\/blobs\/\*$/, '/blobs/{key}');
}

function accessOf({ access }: GuardedRoute): string {
  if (access === 'public') return 'nothing';
  if (access === 'signed-in') return 'signing in';
  if ('handler' in access) return 'what the request names';
  if ('isSigned' in access) return 'the address itself';
  return access.on === undefined ? `${access.can}, for the server` : access.can;
}
