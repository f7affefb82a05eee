import { describe, test } from 'vitest';
import { BLOB_STORE_CASES } from './conformance.ts';
import { createMemoryBlobStore } from './memory.ts';

describe('the memory store keeps the contract of blob stores', () => {
  for (const { name, run } of BLOB_STORE_CASES) {
    test(name, async () => {
      const store = createMemoryBlobStore();
      await run({ open: () => store });
    });
  }
});
