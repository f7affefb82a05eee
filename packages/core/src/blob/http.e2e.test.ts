import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, test } from 'vitest';
import { startFaultyProxy } from '../../test/servers/faulty-proxy.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { startNginx } from '../../test/servers/nginx.ts';
import { answers, freePort, startProcess } from '../../test/servers/server.ts';
import { isIngotError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';
import { bodyOf, collect } from './bytes.ts';
import { type BlobStoreCase, failsWith, keysOf } from './conformance/case.ts';
import { LISTING_CASES } from './conformance/listing.ts';
import { READING_CASES } from './conformance/reading.ts';
import { openHttpBlobStore } from './http.ts';
import { createLocalBlobStore } from './local.ts';

/** Writes to a directory and reads what a web server makes of it. */
async function throughServer(directory: string, url: string, hardLinks: 'auto' | 'never'): Promise<BlobStore> {
  const files = createLocalBlobStore(directory, { hardLinks });
  const reader = await openHttpBlobStore(url, { env: {} });
  return {
    address: reader.address,
    capabilities: reader.capabilities,
    stat: (...args) => reader.stat(...args),
    read: (...args) => reader.read(...args),
    list: (...args) => reader.list(...args),
    write: (...args) => files.write(...args),
    delete: (...args) => files.delete(...args),
  };
}

// A listing is a request for each file: one server is asked for all of them, others for what their pages may do otherwise.
const LISTINGS_BY_PAGES = LISTING_CASES.filter(({ name }) => /^(odd keys|keys with|deep prefixes|a prefix)/.test(name));

function describeReading(
  name: string,
  { directory, port }: { readonly directory: string; readonly port: number },
  cases: readonly BlobStoreCase[],
  hardLinks: 'auto' | 'never' = 'auto',
): void {
  let places = 0;
  describe(`the HTTP store on ${name}`, () => {
    for (const one of cases) {
      test(one.name, async () => {
        places += 1;
        const place = `${hardLinks}-${places}`;
        const store = await throughServer(join(directory, place), `http://127.0.0.1:${port}/${place}/`, hardLinks);
        await one.run({ open: () => store });
      });
    }
  });
}

async function startPython() {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-python-'));
  const port = await freePort();
  const running = await startProcess({
    command: 'python3',
    args: ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', directory],
    isReady: () => answers(`http://127.0.0.1:${port}/`),
  });
  const close = async () => {
    await running.stop();
    await rm(directory, { recursive: true, force: true });
  };
  return { directory, port, close };
}

await needServer(
  'nginx',
  () => startNginx({ autoindex: true }),
  (nginx) => {
    describeReading('nginx with index pages', nginx, [...READING_CASES, ...LISTING_CASES]);
  },
);

await needServer('python', startPython, (python) => {
  describeReading('Python, which knows no ranges', python, [...READING_CASES, ...LISTINGS_BY_PAGES]);
  describeReading('Python over a store without hard links', python, LISTINGS_BY_PAGES, 'never');
});

await needServer(
  'nginx',
  () => startNginx({ autoindex: false }),
  ({ directory, port }) => {
    const url = `http://127.0.0.1:${port}/store`;
    const event = (log: string, seq: number) => `${log}/${String(seq).padStart(10, '0')}.json`;
    let store: BlobStore;

    beforeAll(async () => {
      const files = createLocalBlobStore(join(directory, 'store'));
      await files.write('ingot.json', bodyOf('{}'));
      for (let seq = 1; seq <= 70; seq += 1) await files.write(event('models/churn-0a/log', seq), bodyOf(`${seq}`));
      for (const seq of [56, 64]) await files.write(event('models/churn-0a/heads', seq), bodyOf('{}'));
      await files.write('packs/abc/0.pack', bodyOf(Buffer.alloc(3_000_000, 7)));
      store = await openHttpBlobStore(url, { env: {} });
    });

    describe('the HTTP store on a server without index pages', () => {
      test('finds the events of a log and its newest heads by their numbers', async () => {
        const events = await keysOf(store, 'models/churn-0a/log/');
        assert.deepEqual(
          [events.length, events[0], events.at(-1)],
          [70, event('models/churn-0a/log', 1), event('models/churn-0a/log', 70)],
        );
        assert.deepEqual(await keysOf(store, 'models/churn-0a/log/', events[67]), events.slice(68));
        assert.deepEqual(
          await keysOf(store, 'models/churn-0a/heads/'),
          [56, 64].map((seq) => event('models/churn-0a/heads', seq)),
        );
        assert.deepEqual(await keysOf(store, 'models/none-00/log/'), []);
      });

      test('takes caches for empty and says of all else that it cannot be listed', async () => {
        assert.deepEqual(await keysOf(store, 'index/models/'), []);
        assert.deepEqual(await keysOf(store, ''), ['ingot.json']);
        for (const prefix of ['packs/', 'roots/', 'gc/', 'models/'])
          await failsWith(() => keysOf(store, prefix), 'refused');
      });

      test('reads ranges, and tells a missing blob and a folder from a blob', async () => {
        assert.equal(
          (await collect(store.read('packs/abc/0.pack', { range: { start: 5, end: 9 } }))).toString('hex'),
          '07070707',
        );
        assert.equal(await store.stat('packs/abc'), undefined);
        assert.equal(await store.stat('packs/abd'), undefined);
        await failsWith(() => collect(store.read('packs/abc')), 'content-not-found');
      });
    });

    describe('the HTTP store', () => {
      test('refuses every write and says where to write', async () => {
        for (const work of [() => store.write('a', bodyOf('x')), () => store.delete('a')])
          await assert.rejects(work, (error) => isIngotError(error, 'refused') && error.hint !== undefined);
        assert.equal(store.capabilities.readOnly, true);
      });

      test('never gives a short stream over a bad line', async () => {
        const proxy = await startFaultyProxy(port);
        const behind = await openHttpBlobStore(`http://127.0.0.1:${proxy.port}/store`, {
          env: { INGOT_STORAGE_TIMEOUT: '1' },
        });
        for (const fault of [
          { kind: 'cut', direction: 'down', afterBytes: 1_000_000, how: 'end' },
          { kind: 'cut', direction: 'down', afterBytes: 1_000_000, how: 'reset' },
          { kind: 'stall', direction: 'down', afterBytes: 1_000_000 },
        ] as const) {
          proxy.set(fault);
          await failsWith(() => collect(behind.read('packs/abc/0.pack')), 'unavailable');
        }
        await proxy.close();
      });
    });
  },
);
