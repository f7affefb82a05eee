import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { randomOf } from '@ingot/core/seeded-random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withToken } from '../trial-server.ts';
import { CANARY, openVault, VAULT, type Vault } from './vault.ts';

const FILES = '/api/2.0/mlflow-artifacts/artifacts';
const MLFLOW = '/api/2.0/mlflow';
/** What takes time by its nature takes minutes; a machine with other work to do may take a second. */
const MOST_MS = 3000;
let vault: Vault;
let agent: Agent;

beforeAll(async () => {
  vault = await openVault();
  agent = new Agent({ keepAlive: true, maxSockets: 8 });
}, 30_000);
afterAll(async () => {
  agent.destroy();
  await vault[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Asks for a path as it is written: `fetch` would tidy it up. */
function raw(path: string, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(vault.server.url);
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${vault.admin}` };
    const sent = request({ hostname, port, path, method, agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('latin1');
      answer.on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function asked(path: string, method = 'GET', body?: unknown) {
  const began = performance.now();
  const answer = await vault.server.ask(path, withToken(vault.admin, method, body));
  const text = await answer.text();
  return { status: answer.status, text, ms: performance.now() - began };
}

async function posted(path: string, text: string): Promise<number> {
  const headers = { authorization: `Bearer ${vault.admin}`, 'content-type': 'application/json' };
  const answer = await vault.server.ask(path, { method: 'POST', headers, body: text });
  await answer.text();
  return answer.status;
}

describe('paths', () => {
  it('that climb, however they are written, give and write nothing', async () => {
    const ups = [
      '..',
      '%2e%2e',
      '.%2e',
      '%252e%252e',
      '..%5c..',
      '%c0%ae%c0%ae',
      '%EF%BC%8E%EF%BC%8E',
      '..%00',
      '....//..',
    ];
    const ends = ['etc/passwd', 'proc/self/environ', 'server.sqlite', 'index.sqlite'];
    const starts = ['', `0/${vault.run}/artifacts/`, `versions/${vault.modelId}/1/`, '//', '%2f', 'C:/', 'file:///'];
    const wrong: string[] = [];
    for (const start of starts)
      for (const up of ups)
        for (const end of ends)
          for (const prefix of [
            `${FILES}/`,
            '/ajax-api/2.0/mlflow-artifacts/presigned/',
            `${FILES}?path=`,
            '/api/v1/blobs/',
          ]) {
            const path = `${prefix}${start}${`${up}/`.repeat(6)}${end}`;
            const { status, text } = await raw(path);
            // A query whose bytes are no text names nothing: an empty listing.
            const isNothing = status === 200 && prefix.endsWith('?path=') && text === '{}';
            if ((![400, 404].includes(status) && !isNothing) || /root:|SQLite format|PATH=/.test(text))
              wrong.push(`${status} ${path}`);
          }
    expect(wrong).toEqual([]);
  });

  it('of 2,000 generated kinds name nothing but what was put there', async () => {
    const random = randomOf(20_261_121);
    const alphabet = [
      'a',
      '.',
      '..',
      '/',
      '//',
      '\\',
      '%2e',
      '%2f',
      '%5c',
      '%252e',
      '%00',
      '%',
      'C:',
      '%EF%BC%8E',
      '~',
      ';',
      '%23',
      '?',
      '&path=..',
      'proc/self/root',
      '@',
    ];
    const pick = (): string => alphabet[Math.floor(random() * alphabet.length)] ?? '';
    const paths = Array.from({ length: 2000 }, () =>
      Array.from({ length: 1 + Math.floor(random() * 9) }, pick).join(''),
    );
    const wrong: string[] = [];
    const each = async (path: string): Promise<void> => {
      const { status, text } = await raw(`${FILES}/${path}`);
      // `?` ends the path: what is before it may be the top, which is listed.
      const isListing = status === 200 && text.startsWith('{');
      if (![400, 404].includes(status) && !isListing) wrong.push(`${status} ${path}`);
    };
    for (let from = 0; from < paths.length; from += 8) await Promise.all(paths.slice(from, from + 8).map(each));
    expect(wrong).toEqual([]);
  });
});

describe('sources and locations', () => {
  const HOSTILE = [
    'file:///etc',
    'FILE:///etc',
    '/etc/passwd',
    'http:///#/../../etc',
    'http://h/x?a=../..',
    'http://h/x;/../..',
    's3://b/%2e%2e/%2e%2e/x',
    's3://b/../x',
    'mlflow-artifacts:/../../etc',
    'mlflow-artifacts://h/%252e%252e/x',
    String.raw`\\host\share`,
    'data:text/plain,x',
    'javascript:alert(1)',
    'jar:file:///x!/y',
    '../x',
    'C:\\windows',
  ];

  it('in the machine, or that climb, are refused before any row is written', async () => {
    await vault.ask(`${MLFLOW}/registered-models/create`, 'POST', { name: 'sources' });
    const wrong: string[] = [];
    for (const [n, source] of HOSTILE.entries()) {
      const experiment = await asked(`${MLFLOW}/experiments/create`, 'POST', {
        name: `evil-${n}`,
        artifact_location: source,
      });
      const version = await asked(`${MLFLOW}/model-versions/create`, 'POST', { name: 'sources', source });
      if (experiment.status !== 400 || version.status !== 400)
        wrong.push(`${source}: ${experiment.status} ${version.status}`);
    }
    expect(wrong).toEqual([]);
    const { experiments } = await vault.ask(`${MLFLOW}/experiments/search?max_results=100`);
    expect(JSON.stringify(experiments)).not.toContain('evil-');
    expect(await vault.ask(`${MLFLOW}/model-versions/search?filter=${encodeURIComponent("name='sources'")}`)).toEqual(
      {},
    );
  });
});

describe('names', () => {
  it('of MLflow are never parts of paths, and what cannot be shown is refused', async () => {
    for (const name of [
      '../x',
      'a/b',
      'a:b',
      '.',
      '..',
      '',
      'x'.repeat(10_000),
      '/',
      'a\u0000b',
      '\u202efdp.exe',
      'a\u2066b',
    ])
      expect((await asked(`${MLFLOW}/registered-models/create`, 'POST', { name })).status, name.slice(0, 20)).toBe(400);
    const { items } = await vault.ask('/api/v1/models?limit=100');
    for (const { name } of [items].flat().map(Object)) expect(name).toMatch(/^[a-z0-9][a-z0-9._-]*$/);
  });

  it('and texts of any kind come back as they were, and only as JSON', async () => {
    const page = '<script>alert(1)</script><img src=x onerror=alert(1)>';
    await vault.ask(`/api/v1/models/${VAULT}`, 'PATCH', { tags: { page, [page.slice(0, 25)]: 'x' } });
    const { headers, text } = await raw(`/api/v1/models/${VAULT}`);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(text).tags.page).toBe(page);
    const missing = await raw(`/api/v1/models/${encodeURIComponent(page)}`);
    expect([missing.status, missing.headers['content-type']]).toEqual([
      400,
      expect.stringMatching(/^application\/problem\+json/),
    ]);
    const run = (await vault.ask(`${MLFLOW}/runs/create`, 'POST', { experiment_id: '0', run_name: page })).run;
    expect(Object(Object(run).info).run_name).toBe(page);
    await vault.ask(`/api/v1/models/${VAULT}`, 'PATCH', { tags: { page: null, [page.slice(0, 25)]: null } });
  });

  it.each([
    'page.html',
    'page.svg',
    'page.xhtml',
    'page.js',
    'page.xml',
    'page.htm',
    'MLmodel',
    'page',
    'a".html',
    'é\u2028.html',
  ])('an artifact called %j is given to be saved, and runs nowhere', async (name) => {
    const path = `${FILES}/0/${vault.run}/artifacts/x/${encodeURIComponent(name)}`;
    const body = '<html><script>alert(document.cookie)</script></html>';
    const headers = { authorization: `Bearer ${vault.admin}`, 'content-type': 'text/html' };
    expect((await vault.server.ask(path, { method: 'PUT', headers, body })).status).toBe(200);
    const answer = await raw(path);
    expect(answer.text).toBe(body);
    expect(answer.headers['content-type']).toMatch(/^(?:text\/plain; charset=utf-8|application\/octet-stream)$/);
    expect(answer.headers['content-disposition']).toMatch(
      /^attachment; filename="[^"]*"(?:; filename\*=UTF-8''[\w%.!~-]+)?$/,
    );
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox'),
    });
  });
});

describe('archives', () => {
  it('are files like any other: nothing of them is unpacked', async () => {
    const tar = Buffer.alloc(10_240);
    tar.write('../../../../tmp/ingot-climbed');
    tar.write('0000644\0', 100);
    tar.write('ustar\0', 257);
    const zip = Buffer.from(
      '504b0304140000000000000000000000000000000000000000000f00000000002e2e2f2e2e2f746d702f636c696d',
      'hex',
    );
    for (const [name, body] of [
      ['x.tar', tar],
      ['x.zip', zip],
    ] as const) {
      const path = `${FILES}/0/${vault.run}/artifacts/archives/${name}`;
      const headers = { authorization: `Bearer ${vault.admin}` };
      expect((await vault.server.ask(path, { method: 'PUT', headers, body })).status).toBe(200);
      expect(Buffer.from((await raw(path)).text, 'latin1').equals(body)).toBe(true);
    }
    const { files } = await vault.ask(`${FILES}?path=0/${vault.run}/artifacts/archives`);
    expect([files].flat().map((file) => Object(file).path)).toEqual(['x.tar', 'x.zip']);
  });
});

describe('searches', () => {
  const EVIL = [
    "' OR '1'='1",
    "'; drop table versions; --",
    "x') UNION SELECT token FROM tokens --",
    '$.a"]',
    '\\',
    '%00',
    '"',
    '`',
    ')',
  ];
  const SEARCHES: readonly ((
    filter: string,
    order: string,
  ) => Promise<{ readonly status: number; readonly ms: number }>)[] = [
    (filter, sort) => asked(`/api/v1/versions?${new URLSearchParams({ filter, sort })}`),
    (filter, order_by) => asked(`${MLFLOW}/registered-models/search?${new URLSearchParams({ filter, order_by })}`),
    (filter, order_by) => asked(`${MLFLOW}/model-versions/search?${new URLSearchParams({ filter, order_by })}`),
    (filter, order) => asked(`${MLFLOW}/experiments/search`, 'POST', { filter, order_by: [order], max_results: 10 }),
    (filter, order) => asked(`${MLFLOW}/runs/search`, 'POST', { experiment_ids: ['0'], filter, order_by: [order] }),
    (filter, order) =>
      asked(`${MLFLOW}/logged-models/search`, 'POST', {
        experiment_ids: ['0'],
        filter,
        order_by: [{ field_name: order }],
      }),
  ];

  it('take nothing for SQL, and leave everything as it was', async () => {
    const before = (await asked('/api/v1/versions?filter=status in (active, retired)')).text;
    for (const search of SEARCHES)
      for (const evil of EVIL)
        for (const [filter, order] of [
          [evil, 'name'],
          [`name = '${evil}'`, 'name'],
          [`tags.\`${evil}\` = 'x'`, 'name'],
          ["name = 'x'", evil],
          ["name = 'x'", `name; ${evil}`],
        ] as const) {
          const { status } = await search(filter, order);
          expect([200, 400], `${filter} | ${order}`).toContain(status);
        }
    expect((await asked('/api/v1/versions?filter=status in (active, retired)')).text).toBe(before);
  });

  it('refuse what is long or deep, at once', async () => {
    const long = [
      "a = 'x' AND ".repeat(8000),
      `${'('.repeat(10_000)}name = 'a'${')'.repeat(10_000)}`,
      `${'NOT '.repeat(20_000)}name = 'a'`,
      'x'.repeat(100_000),
    ];
    for (const filter of long)
      for (const search of SEARCHES) {
        const { status, ms } = await search(filter, 'name');
        expect([400, 414, 431], filter.slice(0, 30)).toContain(status);
        expect(ms, filter.slice(0, 30)).toBeLessThan(MOST_MS);
      }
  });

  it('take no time for patterns that match badly', async () => {
    const value = `${'a'.repeat(4900)}c`;
    await vault.ask(`${MLFLOW}/registered-models/set-tag`, 'POST', { name: VAULT, key: 'long', value });
    await vault.ask(`${MLFLOW}/model-versions/set-tag`, 'POST', { name: VAULT, version: '1', key: 'long', value });
    await vault.ask(`${MLFLOW}/runs/set-tag`, 'POST', { run_id: vault.run, key: 'long', value });
    for (const pattern of [`${'%a'.repeat(45)}%b`, `${'%a_'.repeat(45)}%b`, `${'a%'.repeat(45)}b`])
      for (const operator of ['LIKE', 'ILIKE'])
        for (const search of SEARCHES) {
          const { status, ms } = await search(`tags.long ${operator} '${pattern}'`, 'name');
          expect([200, 400], pattern).toContain(status);
          expect(ms, `${operator} ${pattern.slice(0, 10)}`).toBeLessThan(MOST_MS);
        }
    await vault.ask(`${MLFLOW}/registered-models/delete-tag`, 'DELETE', { name: VAULT, key: 'long' });
  }, 30_000);

  it('give pages of a bounded size only', async () => {
    for (const size of ['-1', '1e9', '1000000000', 'x', '0.5'])
      for (const path of [
        `/api/v1/versions?limit=${size}`,
        `/api/v1/models?limit=${size}`,
        `/api/v1/deployments?limit=${size}`,
        `${MLFLOW}/registered-models/search?max_results=${size}`,
        `${MLFLOW}/experiments/search?max_results=${size}`,
      ])
        expect((await asked(path)).status, path).toBe(400);
    expect(
      (await asked(`${MLFLOW}/runs/search`, 'POST', { experiment_ids: ['0'], max_results: 1_000_000 })).status,
    ).toBe(400);
  });
});

describe('JSON', () => {
  const ROUTES = [
    '/api/v1/models',
    `${MLFLOW}/runs/search`,
    `${MLFLOW}/registered-models/create`,
    '/api/v1/pieces',
    '/api/2.0/mlflow-artifacts/mpu/create/0/x',
  ];

  it.each([
    ['keys twice', '{"name":"a","name":"b"}', [400]],
    ['__proto__', '{"name":"a","__proto__":{"polluted":1}}', [400]],
    ['a deep list', '['.repeat(100_000), [400]],
    ['a deep object', `${'{"a":'.repeat(50_000)}1`, [400]],
    ['a number beyond all numbers', '{"name":1e999,"path":1e999,"max_results":1e999,"digests":1e999}', [400]],
    ['a lone surrogate', '{"name":"\\ud800","path":"\\ud800","filter":"\\ud800","digests":["\\ud800"]}', [400]],
    ['another root', '"text"', [400]],
    ['two megabytes', JSON.stringify({ name: 'x'.repeat(2_000_000) }), [400, 413]],
  ] as const)('with %s is refused everywhere', async (_, text, statuses) => {
    for (const route of ROUTES) expect(statuses, route).toContain(await posted(route, text));
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('of a gigabyte is refused before it comes', async () => {
    const { port } = new URL(vault.server.url);
    const head = `POST /api/v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${vault.admin}\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{`;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(head));
      socket.once('data', (bytes) => {
        resolve(bytes.toString());
        socket.destroy();
      });
      socket.once('error', reject);
      socket.setTimeout(5000, () => socket.destroy(new Error('nobody refused it')));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('connections', () => {
  it('that send their headers slowly are ended, and others are answered meanwhile', async () => {
    const { port } = new URL(vault.server.url);
    const ended = Array.from(
      { length: 50 },
      () =>
        new Promise<string>((resolve, reject) => {
          let text = '';
          const socket = connect(Number(port), '127.0.0.1', () =>
            socket.write('GET /api/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: '),
          );
          const drip = setInterval(() => socket.writable && socket.write('a'), 500);
          socket.on('data', (bytes) => {
            text += bytes.toString();
          });
          socket.on('close', () => {
            clearInterval(drip);
            resolve(text);
          });
          socket.on('error', () => {});
          socket.setTimeout(20_000, () => reject(new Error('the connection stays')));
        }),
    );
    expect((await asked('/api/v1/models')).ms).toBeLessThan(MOST_MS);
    for (const answer of await Promise.all(ended)) expect(answer).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
  }, 25_000);
});

describe('digests', () => {
  it('in capitals, of another algorithm or length, or none, make no version', async () => {
    const hex = 'a'.repeat(64);
    for (const manifest of [
      `sha256:${hex.toUpperCase()}`,
      `SHA256:${hex}`,
      `sha512:${'a'.repeat(128)}`,
      `sha256:${hex}a`,
      hex,
      `sha256:../../${hex}`,
      '',
    ])
      for (const path of [`/api/v1/models/${VAULT}/versions`]) {
        const recipe = { digest: manifest, pack: vault.pack, offset: 0, length: 1 };
        const draft = { manifest, recipe, sizeBytes: 1, fileCount: 1, flavor: 'file', scan: 'not scanned' };
        expect((await asked(path, 'POST', { draft })).status, manifest).toBe(400);
      }
    expect(Object(await vault.ask(`/api/v1/models/${VAULT}`)).versions).toBe(1);
    expect(JSON.stringify(await vault.ask(`/api/v1/models/${VAULT}`))).toContain(CANARY);
  });
});
