import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, it } from 'vitest';
import { parse } from 'yaml';
import { buildOnce } from './build-once.ts';
import type { Case } from './run-case.ts';
import { runCase } from './run-case.ts';

const directory = new URL('./cases/', import.meta.url);

beforeAll(buildOnce);

for (const file of readdirSync(directory).sort()) {
  const cases: Case[] = parse(readFileSync(new URL(file, directory), 'utf8'));
  describe(file, () => {
    for (const one of cases) it.concurrent(one.name, () => runCase(one));
  });
}
