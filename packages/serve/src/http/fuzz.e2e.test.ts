import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryHost } from './testing/memory-host.ts';
import { ADDER, CHURN, ECHO, IMAGE, IRIS } from './testing/models.ts';
import { type ServedApp, serveApp } from './testing/served-app.ts';

let served: ServedApp;
const host = memoryHost([...CHURN, ADDER, ECHO, IMAGE, IRIS]);
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
beforeAll(async () => {
  served = await serveApp({ host, limits: { bodyBytes: 100_000 } });
});
afterAll(async () => {
  agent.destroy();
  await served[Symbol.asyncDispose]();
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function statusOf({ method, path, headers, body }: Sent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: served.port,
        method,
        path,
        agent,
        headers: { ...headers, 'content-length': String(body.length) },
      },
      (response) => {
        let text = '';
        response.setEncoding('latin1');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const SEEDS: readonly string[] = [
  '[{"age":41,"charges":1.5,"plan":"pro"}]',
  '{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","data":[1,2,3,4]},{"name":"INPUT1","shape":[1,4],"datatype":"INT32","data":[1,2,3,4]}],"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}}]}',
  '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000',
  '{"dataframe_split":{"columns":["age","charges","plan"],"data":[[41,1.5,"pro"]]}}',
  'age,charges,plan\n41,1.5,pro\n',
  '{"ready":true,"parameters":{"unload_dependents":false}}',
];
const PIECES = [
  'null',
  '-1',
  '1e999',
  '9223372036854775808',
  '[]',
  '{}',
  '""',
  '[[',
  '"__proto__":',
  '"constructor"',
  'true',
  '\u0000',
  '"',
  ',',
  '1.5',
  '"shape"',
  '"BYTES"',
  '[9e9]',
  '-0',
];

const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(300), fc.nat(12), fc.constantFrom(...PIECES, '')), { maxLength: 4 }),
  )
  .map(([seed, edits]) =>
    Buffer.from(
      edits.reduce((text, [at, length, piece]) => text.slice(0, at) + piece + text.slice(at + length), seed),
      'latin1',
    ),
  );

const segment = fc.constantFrom(
  'v2',
  'models',
  'churn',
  'simple',
  'team%2Fimage',
  'echo',
  'iris',
  'infer',
  'predict',
  'versions',
  '7',
  '1.2.0',
  'invocations',
  'ready',
  'stats',
  'config',
  'repository',
  'index',
  '..',
  '%2e%2e',
  '%00',
  '%zz',
  '',
  'é',
  ';',
  '__proto__',
  'a'.repeat(300),
);
const known = fc.constantFrom(
  '/predict/churn',
  '/predict/iris?method=predict',
  '/predict/echo',
  '/v2/models/simple/infer',
  '/v2/models/echo/infer',
  '/v2/models/team%2Fimage/infer',
  '/models/churn/invocations',
  '/v2/repository/index',
  '/predict/churn?version=8',
  '/predict/__proto__',
  '/v2/models/constructor/infer',
);
const path = fc.oneof(
  { weight: 4, arbitrary: known },
  {
    weight: 1,
    arbitrary: fc
      .array(segment, { maxLength: 6 })
      .map((segments) => `/${segments.join('/')}`.replaceAll('é', '%C3%A9')),
  },
);

const headers = fc.record(
  {
    'content-type': fc.constantFrom(
      'application/json',
      'application/json',
      'text/csv',
      'application/octet-stream',
      'application/x-python-pickle',
      ';',
      'a/b; c',
    ),
    'content-encoding': fc.constantFrom('gzip', 'deflate', 'identity', 'br'),
    'inference-header-content-length': fc.constantFrom('0', '1', '131', '-1', '9999999', 'x'),
    'accept-encoding': fc.constantFrom('gzip', '*', 'gzip;q=0'),
    'x-request-id': fc.constantFrom('a', 'a b', 'x'.repeat(200)),
    origin: fc.constantFrom('http://evil.example', 'null'),
  },
  { requiredKeys: ['content-type'] },
);

test('thousands of mutated requests never get a 5xx, always get JSON with an error, and leave no lease behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT', 'DELETE'),
      path,
      headers,
      mutated,
      async (method, where, given, body) => {
        const { status, text } = await statusOf({ method, path: where, headers: given, body });
        expect(status).toBeLessThan(500);
        if (status !== 200)
          expect(JSON.parse(text)).toMatchObject({ error: expect.any(String), code: expect.any(String) });
      },
    ),
    { numRuns: 4000 },
  );
  expect(host.leased()).toBe(0);
  expect('polluted' in {}).toBe(false);
});
