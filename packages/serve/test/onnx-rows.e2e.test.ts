import { readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { openPackageCache } from '@ingot/core/package/cache';
import { protobufField, protobufMessage, testDirectory } from '@ingot/core/package/testing/fixtures';
import { pullToCache } from '@ingot/core/pull';
import { push } from '@ingot/core/push';
import { openLogRegistry } from '@ingot/core/registry/open';
import { expect, test } from 'vitest';
import { startModelServer } from '../src/server.ts';
import { WORKER_DIRECTORY } from '../src/testing/python-packages.ts';

const DIGITS = fileURLToPath(new URL('../../../examples/onnx-digits/digits.onnx', import.meta.url));

interface Served extends AsyncDisposable {
  /** Sends rows, gives status and answer. */
  predict(rows: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
}

/** Pushes a directory, brings it to a cache, and serves it: the walk of every package, with nothing left out. */
async function serve(directory: string, scratch: string): Promise<Served> {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const contents = createBlobContentStore(blobs);
  await push(directory, { registry, contents, name: 'm' });
  const cache = openPackageCache({ directory: scratch });
  const found = await pullToCache('m', { registry, contents, cache });
  const { model, modelId, number, manifest } = found.resolved;
  const server = await startModelServer({
    source: {
      resolve: async (source) => ({ source, model, modelId, number, digest: manifest }),
      fetch: async () => found.package.servable,
    },
    sources: ['m'],
    port: 0,
    python: {
      workerDirectory: WORKER_DIRECTORY,
      environmentsDirectory: scratch,
      environment: {},
      temporaryDirectory: '/tmp',
      env: 'none',
    },
    log: () => {},
  });
  return {
    async predict(rows) {
      const response = await fetch(`${server.url}/predict/m`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(rows),
      });
      return { status: response.status, body: await response.json() };
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await cache[Symbol.asyncDispose]();
    },
  };
}

/** Images of the data set that the example was trained on, and the digits they show. */
const digits: { readonly images: readonly (readonly number[])[]; readonly truth: readonly number[] } = JSON.parse(
  readFileSync(DIGITS.replace(/onnx$/, 'json'), 'utf8'),
);

test('a graph of one tensor takes rows of the features that the metadata names', async () => {
  await using directory = await testDirectory();
  const names = Array.from({ length: 64 }, (_, index) => `pixel_${index >> 3}_${index & 7}`);
  await directory.write({
    'src/metadata.yaml': `input_features:\n${names.map((name) => `- name: ${name}\n  type: float\n`).join('')}output:\n- name: digit\n  type: integer\n`,
  });
  await copyFile(DIGITS, directory.join('src', 'digits.onnx'));
  await using server = await serve(directory.join('src'), directory.join('cache'));
  const rows = digits.images.map((image) => Object.fromEntries(names.map((name, index) => [name, image[index]])));
  expect(await server.predict(rows)).toMatchObject({ status: 200, body: { predictions: digits.truth } });
  const { pixel_0_0, ...rest } = rows[0] ?? {};
  expect(await server.predict([rest])).toMatchObject({ status: 422, body: { missing: ['pixel_0_0'] } });
});

test('a graph with one column an input takes rows by its own names, as scalars', async () => {
  const f = protobufField;
  const column = (name: string): Uint8Array => {
    const shape = protobufMessage(f(1, f(2, 'rows')), f(1, f(1, 1)));
    return protobufMessage(f(1, name), f(2, f(1, protobufMessage(f(1, 1), f(2, shape)))));
  };
  const node = protobufMessage(f(1, 'price'), f(1, 'tax'), f(2, 'total'), f(4, 'Add'));
  const graph = protobufMessage(
    f(1, node),
    f(2, 'sum'),
    f(11, column('price')),
    f(11, column('tax')),
    f(12, column('total')),
  );
  await using directory = await testDirectory();
  await directory.write({
    'src/sum.onnx': protobufMessage(f(1, 8), f(7, graph), f(8, protobufMessage(f(2, 13)))),
  });
  await using server = await serve(directory.join('src'), directory.join('cache'));
  const answer = await server.predict([
    { tax: 0.5, price: 2 },
    { price: 8, tax: 0.25 },
  ]);
  expect(answer).toMatchObject({ status: 200, body: { predictions: [2.5, 8.25] } });
});
