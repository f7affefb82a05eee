import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isIngotError } from '@ingot/core/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../database/database.ts';
import { conditionOf } from './checks.ts';
import { parseExpression } from './parse.ts';
import { parseSort } from './sort.ts';
import { searchVersions } from './search-versions.ts';
import { checkAgreement } from './testing/agreement.ts';
import { fillIndex } from './testing/fill-index.ts';

const NOW = new Date('2026-11-21T12:00:00.000Z');
const read = (filter: string) => {
  const expression = parseExpression(filter);
  return expression && conditionOf(expression, { now: NOW });
};

function outcomeOf(filter: string): string {
  try {
    read(filter);
    return 'understood';
  } catch (error) {
    return isIngotError(error) ? error.code : String(error);
  }
}

describe('what a search may say', () => {
  it.each([
    ["metrics.auc > 0.9 AND stage = 'Production'"],
    ['churn model stage = Production'],
    ['package:scikit-learn < 1.5 OR environment.numpy >= 2.0rc1'],
    ['published > 2026-01-01 and updated >= -7d and size < 1.5GiB'],
    ['NOT (alias in (production, staging) OR alias IS NULL) AND dirty = false'],
    ['tags."data set" LIKE \'%x_\' AND params.depth != 3 AND digest = sha256:abcd'],
    ["run_id = 'r1' AND version_number >= 2 AND attributes.name ILIKE 'CHURN%'"],
    ['data = customers parent = churn:3 commit = 4f1c2a'],
  ])('understands %s', (filter) => {
    expect(read(filter)).toBeDefined();
  });

  it.each([
    ['metrics.auc >', 'at its end'],
    ['stag = Production', '"stag" (character 1'],
    ['(a = 1', 'at its end'],
    ["name = 'x", 'at "\'x"'],
    ['metrics.auc = high', 'metrics.auc is compared with a number; high is not (character 15'],
    ['published = yesterday', 'published is compared with a time'],
    ['published = 2026-02-30', 'published is compared with a time'],
    ['package:numpy < newest', 'a version: 1.5'],
    ['dirty > false', 'dirty is not compared by >'],
    ['size LIKE 5', 'size is not compared by LIKE'],
    ['a = 1 AND', 'at its end'],
    ['a AND OR b', 'at "OR b"'],
    ['name = "a" ) x', 'at ") x"'],
  ])('says what is wrong with %s', (filter, message) => {
    expect(() => read(filter)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
  });

  it('names the nearest field and an example', () => {
    expect(() => read('flavour = sklearn')).toThrow(
      expect.objectContaining({ nearest: 'flavor', hint: expect.stringContaining('metrics.auc >= 0.9') }),
    );
  });

  it('refuses what is too long, too deep or too much, at an end that comes', () => {
    const filters = [
      'a = 1 AND '.repeat(10_000),
      `${'('.repeat(10_000)}a = 1${')'.repeat(10_000)}`,
      `${'NOT '.repeat(10_000)}a = 1`,
      'a '.repeat(20_000),
      `name in (${"'x',".repeat(10_000)}'y')`,
      '"'.repeat(60_000),
      "'".repeat(60_001),
      `${'a.'.repeat(30_000)}a = 1`,
      `name like '${'%a'.repeat(1000)}'`,
      'x'.repeat(60_000),
    ];
    for (const filter of filters) {
      expect(outcomeOf(filter), filter.slice(0, 30)).toBe('usage');
    }
  });

  it('refuses orders by what a version has several of', () => {
    expect(() => parseSort('alias')).toThrow('versions are not sorted by alias');
    expect(() => parseSort('name up')).toThrow(/the order is not understood/);
    expect(() => parseSort('nam')).toThrow(expect.objectContaining({ nearest: 'name' }));
    expect(parseSort('-metrics.auc, published asc').map(({ descending }) => descending)).toEqual([true, false]);
  });
});

describe('searching the index', () => {
  let directory: string;
  let database: Database;
  let records: Awaited<ReturnType<typeof fillIndex>>;
  const found = async (filter: string, sort?: string, readable?: readonly string[]) => {
    const page = await searchVersions(database, { filter, sort, limit: 1000, readable, now: NOW });
    return page.items.map(({ model, number }) => `${model}:${number}`);
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ingot-search-'));
    database = await openDatabase({ directory });
    records = await fillIndex(database, { versions: 80, seed: 7 });
  });
  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('finds the same in the database and in memory, in the same order', async () => {
    await checkAgreement(database, records, { rounds: 30, seed: 11, now: NOW });
  });

  it('takes what looks like SQL as text', async () => {
    const before = records.length;
    for (const evil of ["'; drop table versions; --", "' or 1=1 --", 'x" or "1"="1', '\\', '%', '\0', '\ud800', "''"]) {
      const quoted = `'${evil.replaceAll("'", "''")}'`;
      for (const field of ['name', 'tags.team', "tags.`a'; drop table versions`", 'params.depth', 'stage', 'digest'])
        for (const operator of ['=', '!=', 'LIKE', 'ILIKE']) await found(`${field} ${operator} ${quoted}`);
      await found(quoted);
      expect(await found(`name = ${quoted}`)).toEqual([]);
    }
    expect((await found('status in (active, retired, deleted)')).length).toBe(before);
  });

  it('shows nothing of models that may not be read, on no page', async () => {
    const ids = [...new Set(records.map(({ record }) => record.modelId))].slice(0, 1);
    const mine = records.filter(({ record }) => ids.includes(record.modelId) && record.status !== 'deleted');
    const shown: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const page = await searchVersions(database, { cursor, limit: 3, readable: ids, now: NOW, sort: 'metrics.auc' });
      if (page.next !== undefined) expect(page.items).toHaveLength(3);
      shown.push(...page.items.map(({ model, number }) => `${model}:${number}`));
      cursor = page.next;
    }
    expect(shown.sort()).toEqual(mine.map(({ record }) => `${record.model}:${record.number}`).sort());
    expect(await found('', undefined, [])).toEqual([]);
  });

  it('refuses cursors that no answer to this search has held', async () => {
    const given = { limit: 2, readable: undefined, now: NOW };
    const { next } = await searchVersions(database, { ...given, filter: 'name = churn' });
    const search = { ...given, cursor: next };
    expect((await searchVersions(database, { ...search, filter: ' name = churn ' })).items).toHaveLength(2);
    for (const other of [{}, { filter: 'name != churn' }, { filter: 'name = churn', sort: 'published' }])
      await expect(searchVersions(database, { ...search, ...other })).rejects.toMatchObject({ code: 'usage' });
    const cursor = (values: unknown) => Buffer.from(JSON.stringify(values)).toString('base64url');
    const [mark] = JSON.parse(Buffer.from((await searchVersions(database, given)).next ?? '', 'base64url').toString());
    for (const forged of [
      'x',
      cursor([mark, 1, 2, 3]),
      cursor([mark, 'a', 'b', 'c']),
      cursor([mark, 'a', 'b\0', 1]),
      cursor(['another', '2026', 'a', 1]),
      cursor({}),
      cursor([]),
    ])
      await expect(
        searchVersions(database, { cursor: forged, limit: 3, readable: undefined, now: NOW }),
      ).rejects.toMatchObject({ code: 'usage' });
  });
});
