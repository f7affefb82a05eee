import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rememberedDirectory, storeAddress } from '../address.ts';
import { createSettings } from '../settings/settings.ts';
import { completions } from './completions.ts';
import { namesFile, rememberNames } from './names.ts';

const cache = mkdtempSync(join(tmpdir(), 'ingot-completion-'));
const settings = createSettings(
  [
    {
      values: new Map([
        ['registry', '/srv/models'],
        ['cache', cache],
      ]),
      originOf: () => 'test',
      base: '/',
      project: false,
    },
  ],
  { env: { HOME: '/home/someone' }, cwd: '/', user: 'someone', hostname: 'machine' },
);
const complete = (line: string) => completions(line.split(' ').slice(1), settings, new Date());

beforeAll(() => {
  const models: Parameters<typeof rememberNames>[1] = [
    { name: 'churn', aliases: { production: 7, candidate: 9 } },
    { name: 'wine', aliases: {} },
  ];
  rememberNames(namesFile(rememberedDirectory(settings, storeAddress(settings))), models);
});
afterAll(() => rmSync(cache, { recursive: true }));

describe('completions', () => {
  it('offer verbs, verbs of a group and flags', async () => {
    expect(await complete('ingot pu')).toEqual(['push', 'pull']);
    expect(await complete('ingot alias ')).toEqual(['set', 'rm', 'ls']);
    expect(await complete('ingot push x --al')).toEqual(['--alias']);
  });

  it('offer models, and the aliases of a model after "@"', async () => {
    expect(await complete('ingot show ')).toEqual(['churn', 'wine']);
    expect(await complete('ingot --json show churn@c')).toEqual(['churn@candidate']);
    expect(await complete('ingot serve churn w')).toEqual(['wine']);
  });

  it('offer the words that a flag takes, and files where a file is wanted', async () => {
    expect(await complete('ingot serve --env c')).toEqual(['current']);
    expect(await complete('ingot push ')).toEqual([':files']);
    expect(await complete('ingot pull churn -o ')).toEqual([':directories']);
  });

  it('offer nothing after a word that is no verb', async () => {
    expect(await complete('ingot what ')).toEqual([]);
  });
});
