/** Runs the demo as a log would see it. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inRoot, pythonOf, VENV } from '../scripts/lib/paths.mjs';
import { run } from '../scripts/lib/run.mjs';

const canRun = existsSync(pythonOf(VENV)) || process.env.CI === 'true';

test.skipIf(!canRun)('the demo serves, swaps under load without a failed request, rolls back and ends', async () => {
  const { stdout } = await run(process.execPath, [inRoot('scripts/demo.mjs'), '--once'], { env: { ...process.env, INGOT_REGISTRY: '/nowhere', INGOT_PORT: '1' } });
  expect(stdout).toMatch(/requests meanwhile \(:1 [\d,]+, :2 [\d,]+\), 0 failed/);
  expect(stdout).toMatch(/✓ predicted malignant\s+true malignant/);
  expect(stdout).toContain('✓ predicted 5');
  expect(stdout).toMatch(/✓ Done in/);
});
