import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { createLocalBlobStore } from '../blob/local.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { REGISTRY_CASES } from './conformance.ts';
import { openLogRegistry } from './open.ts';
import { openRememberedStates } from './remembered.ts';

describe('the registry over memory keeps the contract of registries', () => {
  for (const { name, run } of REGISTRY_CASES) {
    test(name, async () => {
      const blobs = createMemoryBlobStore();
      await run({ open: () => openLogRegistry({ blobs, actor: 'test' }) });
    });
  }
});

describe('registries of processes that stay keep the contract of registries', () => {
  for (const { name, run } of REGISTRY_CASES) {
    test(name, async () => {
      const blobs = createMemoryBlobStore();
      await run({ open: () => openLogRegistry({ blobs, actor: 'test', resident: true }) });
    });
  }
});

describe('the registry in a directory, with remembered states, keeps the contract of registries', () => {
  for (const { name, run } of REGISTRY_CASES) {
    test(name, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'ingot-registry-'));
      let clients = 0;
      const open = () => {
        clients += 1;
        // Three memories among all clients: some share one, as processes of one machine do.
        const memory = openRememberedStates({ directory: join(directory, `cache-${clients % 3}`) });
        return openLogRegistry({ blobs: createLocalBlobStore(join(directory, 'store')), actor: 'test', memory });
      };
      try {
        await run({ open });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
  }
});
