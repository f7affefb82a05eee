import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { FormatOnce } from '@ingot/core/content/store-format';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { needServer } from '../../core/test/servers/need-server.ts';
import { startPostgres } from '../../core/test/servers/postgres.ts';
import { type Access, openAccess } from '../src/access/access.ts';
import { carrying } from '../src/access/testing/opened-access.ts';
import { AccessLog } from '../src/audit/access-log.ts';
import { type Audit, openAudit } from '../src/audit/audit.ts';
import { type Database, openDatabase } from '../src/database/database.ts';

const PASSWORD = 'correct horse battery';
const now = (): Date => new Date();
const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));

await needServer('postgres', startPostgres, (postgres) => {
  let directory = '';
  const servers: { database: Database; access: Access; audit: Audit }[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ingot-access-'));
    const format = new FormatOnce(createMemoryBlobStore());
    await format.create();
    for (const _ of [1, 2]) {
      const database = await openDatabase({ directory, address: postgres.address });
      const { own } = database;
      const accessLog = new AccessLog({ own, now, random, warn: assert.fail });
      const log = (_level: string, message: string): void => assert.fail(message);
      const access = await openAccess({ own, host: '127.0.0.1', accessLog, log, now, random });
      const audit = await openAudit({ database, format, accessLog, log, now, random, isAuthenticated: () => true });
      servers.push({ database, access, audit });
    }
  });

  afterAll(async () => {
    for (const { access, audit, database } of servers) {
      await access[Symbol.asyncDispose]();
      await audit[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    }
    await rm(directory, { recursive: true, force: true });
  });

  test('of two first accounts at once on two servers one administers, and both servers are closed within two seconds', async () => {
    const [one, two] = servers;
    assert(one && two);
    const made = await Promise.all([
      one.access.accounts.add({ name: 'ana', password: PASSWORD }, 'x'),
      two.access.accounts.add({ name: 'ben', password: PASSWORD }, 'x'),
    ]);
    expect(made.filter(({ grants }) => grants.length === 1)).toHaveLength(1);
    await expect.poll(() => [one.access.isOpen(), two.access.isOpen()], { timeout: 2000 }).toEqual([false, false]);
  });

  test('a token that one server ends is refused by the other within two seconds', async () => {
    const [one, two] = servers;
    assert(one && two);
    const scopes = [{ role: 'reader', scope: '*' }] as const;
    const { id, token } = await one.access.accounts.addToken({ name: 'ci', scopes }, 'ana');
    const ask = async (): Promise<string> => {
      try {
        return (await two.access.identify(carrying({ authorization: `Bearer ${token}` }))).name;
      } catch {
        return 'refused';
      }
    };
    await expect.poll(ask, { timeout: 2000 }).toBe('token:ci');
    await one.access.accounts.revokeToken(id);
    await expect.poll(ask, { timeout: 2000 }).toBe('refused');
  });

  test('both servers have one signing key, and know what the other wrote', async () => {
    const [one, two] = servers;
    assert(one && two);
    const keys = await Promise.all([one.audit.notary.publicKey(), two.audit.notary.publicKey()]);
    expect(keys[0]).toEqual(keys[1]);
    one.audit.accessLog.record({ kind: 'denied', actor: 'ana', details: { text: 'ä' } });
    await one.audit.accessLog.flush();
    const rows = await two.database.own
      .selectFrom('access_events')
      .select('actor')
      .where('kind', '=', 'denied')
      .execute();
    expect(rows).toEqual([{ actor: 'ana' }]);
  });
});
