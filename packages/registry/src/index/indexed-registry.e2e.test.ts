import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { REGISTRY_CASES } from '@ingot/core/registry/conformance';
import { openLogRegistry } from '@ingot/core/registry/open';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { openIndexedRegistry } from './indexed-registry.ts';

let directory = '';
let database: Database;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-index-'));
  database = await openDatabase({ directory });
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

function opener(options: { readonly isShared: boolean }) {
  const blobs = createMemoryBlobStore();
  return () =>
    openIndexedRegistry({
      database,
      blobs,
      openRegistry: (onEvent) => openLogRegistry({ blobs, actor: 'test', onEvent }),
      log: () => {},
      now: () => new Date(),
      ...options,
    });
}

describe('one server over an index keeps the contract of registries', () => {
  for (const { name, run } of REGISTRY_CASES) {
    test(name, async () => {
      const { registry } = opener({ isShared: false })();
      await run({ open: () => registry });
    });
  }
});

describe('servers that share an index keep the contract of registries', () => {
  for (const { name, run } of REGISTRY_CASES) {
    test(name, async () => {
      const open = opener({ isShared: true });
      await run({ open: () => open().registry });
    });
  }
});
