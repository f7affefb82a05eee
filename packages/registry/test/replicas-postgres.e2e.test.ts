/** Two servers over one Postgres and one storage: what one does, the other soon knows. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { parseModelName } from '@ingot/core/ref';
import { draftOf } from '@ingot/core/registry/conformance/case';
import { openLogRegistry } from '@ingot/core/registry/open';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needServer } from '../../core/test/servers/need-server.ts';
import { startPostgres } from '../../core/test/servers/postgres.ts';
import { type Database, openDatabase } from '../src/database/database.ts';
import { Feed, type FeedNews } from '../src/events/feed.ts';
import { noteFeed } from '../src/events/note-feed.ts';
import { WebhookStore } from '../src/webhooks/webhook-store.ts';
import { KeyAgreement } from '../src/webhooks/key-agreement.ts';
import { openSecretBox } from '../src/webhooks/secret-box.ts';
import { AllowedHosts } from '../src/webhooks/private-addresses.ts';
import { type TrialServer, trialServer, withToken } from './trial-server.ts';

const CHURN = parseModelName('churn');
const now = (): Date => new Date();
const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
const SOON_MS = 20_000;

await needServer('postgres', startPostgres, (postgres) => {
  describe('of two servers that start at once over an empty database', () => {
    const blobs = createMemoryBlobStore();
    const logs = openLogRegistry({ blobs, actor: 'ana', hints: true });
    let servers: readonly TrialServer[] = [];
    let token = '';

    beforeAll(async () => {
      const start = (): Promise<TrialServer> => trialServer({ databaseAddress: postgres.address }, () => blobs);
      servers = await Promise.all([start(), start()]);
      token = servers.map(({ firstToken }) => firstToken).find((text) => text !== '') ?? '';
      await logs.ensureModel(CHURN);
      for (const name of ['a', 'b']) await logs.publish(CHURN, draftOf(name));
    });

    afterAll(async () => {
      for (const server of servers) await server[Symbol.asyncDispose]();
    });

    async function ask(server: number, path: string, method = 'GET', body?: object) {
      const reply = await servers[server]?.ask(`/api/v1${path}`, withToken(token, method, body));
      assert(reply?.ok, `${method} ${path}: ${reply?.status} ${await reply?.clone().text()}`);
      const answer: { number?: number; items?: readonly object[] } = JSON.parse((await reply.text()) || '{}');
      return answer;
    }

    test('one makes the first token', () => {
      expect(servers.filter(({ firstToken }) => firstToken !== '')).toHaveLength(1);
    });

    test('each reads what the other has written before its answer', async () => {
      for (const number of [1, 2, 1, 2]) {
        await ask(number % 2, '/models/churn/aliases/blue', 'PUT', { number });
        const { number: read } = await ask((number + 1) % 2, '/models/churn/aliases/blue');
        expect(read).toBe(number);
      }
    });

    test('a reader of the events of one hears of what the other does', async () => {
      const ending = new AbortController();
      const reply = await servers[1]?.ask('/api/v1/events', { ...withToken(token), signal: ending.signal });
      const reader = reply?.body?.pipeThrough(new TextDecoderStream()).getReader();
      await reader?.read();
      await ask(0, '/models/churn/aliases/green', 'PUT', { number: 2 });
      let told = '';
      while (!told.includes('"alias":"green"')) told += (await reader?.read())?.value ?? assert.fail(told);
      expect(told).not.toContain('"alias":"blue"');
      ending.abort();
    });

    test('a flagged move that one lets count is followed by the other', async () => {
      await ask(0, '/policies', 'PUT', {
        policies: { '*': { aliases: { production: { approvals: 1 } } } },
      });
      await logs.setAlias(CHURN, 'production', 2);
      const flagged = async (): Promise<number | undefined> => (await ask(1, '/audit/flagged')).items?.length;
      await expect.poll(flagged, { timeout: SOON_MS }).toBe(1);
      const production = async (server: number): Promise<number | undefined> => {
        const reply = await servers[server]?.ask('/api/v1/resolve?ref=churn@production', withToken(token));
        const answer: { number?: number } = JSON.parse((await reply?.text()) ?? '{}');
        return answer.number;
      };
      await expect.poll(() => production(0), { timeout: SOON_MS }).toBe(undefined);
      await expect.poll(() => production(1), { timeout: SOON_MS }).toBe(undefined);
      await ask(0, '/audit/flagged/accept', 'POST', { model: 'churn', alias: 'production' });
      expect(await production(0)).toBe(2);
      await expect.poll(() => production(1), { timeout: SOON_MS }).toBe(2);
    });
  });

  describe('the feed of one server tells what another has brought into the index', () => {
    let directory = '';
    let databases: readonly Database[] = [];

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'ingot-replicas-'));
      const open = (): Promise<Database> => openDatabase({ directory, address: postgres.address });
      databases = await Promise.all([open(), open()]);
    });

    afterAll(async () => {
      for (const database of databases) await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });

    const at = (server: number): Database => databases[server] ?? assert.fail('no such server');

    /** Follows the feed of the second server while the first one writes. */
    async function told(pollMs: number, between: () => Promise<void>, database = at(1)): Promise<readonly FeedNews[]> {
      const index = { subscribe: () => () => {} };
      await using feed = new Feed({ database, index, log: () => {}, pollMs });
      const news: FeedNews[] = [];
      await feed.subscribe((one) => news.push(one));
      await between();
      const { log, seq } = await at(0)
        .index.selectFrom('events')
        .select(['log', 'seq'])
        .where('kind', '=', 'version-published')
        .executeTakeFirstOrThrow();
      await at(0)
        .index.transaction()
        .execute((change) => noteFeed(change, log, [{ head: { seq } }]));
      await expect.poll(() => news.length, { timeout: SOON_MS }).toBe(1);
      return news;
    }

    test('as soon as it is told by the database', async () => {
      await told(3_600_000, async () => {});
    });

    test('also after the connection that listens was ended', async () => {
      await told(3_600_000, async () => {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen ingot_feed'`.execute(
          at(0).own,
        );
      });
    });

    test('when it looks, where no notice comes', async () => {
      const { listen: _, ...deaf } = at(1);
      await told(50, async () => {}, { ...deaf, listen: () => ({ [Symbol.asyncDispose]: async () => {} }) });
    });
  });

  describe('servers over one database seal with one key', () => {
    let directory = '';
    let database: Database;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'ingot-keys-'));
      database = await openDatabase({ directory, address: postgres.address });
      for (const table of ['secret_keys', 'webhooks'] as const) await database.own.deleteFrom(table).execute();
    });

    afterAll(async () => {
      await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });

    async function server(host: string, log: (level: string, message: string) => void = () => {}) {
      const home = await mkdtemp(join(directory, `${host}-`));
      return { home, ...(await opened(home, host, log)) };
    }

    async function opened(home: string, host: string, log: (level: string, message: string) => void = () => {}) {
      const { own } = database;
      const box = await openSecretBox(home, random);
      const keys = new KeyAgreement({ own, box, log, now, host });
      await keys.begin();
      return { keys, store: new WebhookStore({ own, box, keys, allowed: new AllowedHosts(['*']), now, random }) };
    }

    const hook = { name: 'x', url: 'http://127.0.0.1:1/', format: 'cloudevents', events: ['*'], secret: 's' } as const;

    test('a second one with another key seals nothing any more, and with that of the first it may', async () => {
      const warned: string[] = [];
      const first = await server('one');
      const second = await server('two', (_, message) => warned.push(message));
      expect(warned).toHaveLength(1);
      await expect(first.store.add(hook, 'ana')).rejects.toMatchObject({ code: 'conflict' });
      await second.store.add(hook, 'ana');
      const wrong = mkdtemp(join(directory, 'three-')).then((home) => opened(home, 'three'));
      await expect(wrong).rejects.toMatchObject({
        code: 'invalid-config',
        hint: expect.stringMatching(new RegExp(`^copy two:${second.home}/secrets.key to `)),
      });
      await writeFile(join(first.home, 'secrets.key'), await readFile(join(second.home, 'secrets.key')));
      await (await opened(first.home, 'one')).store.add(hook, 'ana');
    });
  });
});
