import { defineConfig } from 'vitest/config';

const resolve = { conditions: ['ingot-source'] };
const ssr = { resolve: { conditions: ['ingot-source'] } };

/**
 * Unit tests (`*.test.ts`) share threads without isolation, so they start fast and may not touch process state.
 * Tests that start processes, bind ports or run Python (`*.e2e.test.ts`) run in forks of their own.
 */
export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'conformance/**/*.test.ts', '{scripts,docs,bench}/**/*.test.mjs'],
          exclude: ['**/*.e2e.test.{ts,mjs}', '**/dist/**', '**/node_modules/**'],
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          testTimeout: 20_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'e2e',
          include: [
            'packages/*/{src,test}/**/*.e2e.test.ts',
            'conformance/**/*.e2e.test.ts',
            '{examples,scripts,docs,tools,bench}/**/*.e2e.test.{ts,mjs}',
          ],
          exclude: ['**/dist/**', '**/node_modules/**'],
          pool: 'forks',
          maxWorkers: 2,
          // What hangs is found all the same; a machine that is slow or busy fails nothing.
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
