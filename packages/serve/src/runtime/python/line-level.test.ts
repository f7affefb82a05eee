import { expect, test } from 'vitest';
import { lineLevel } from './line-level.ts';

test.each([
  ['I0000 00:00:1795288151.977213   32552 port.cc:153] oneDNN custom operations are on.', 'info'],
  ['2026-11-21 19:08:11.769726: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized', 'info'],
  ['WARNING: All log messages before absl::InitializeLog() is called are written to STDERR', 'info'],
  ['INFO:root:loaded', 'info'],
  ['2026-11-21 19:08:11,769 - churn - INFO - loaded', 'info'],
  ['2026/11/21 19:08:11 WARNING mlflow.utils.requirements_utils: versions differ', 'warn'],
  ['W0000 00:00:1795288151.977213   32552 port.cc:153] careful', 'warn'],
  ['I know nothing of that column', 'warn'],
  ['Traceback (most recent call last):', 'warn'],
])('%s is logged as %s', (line, level) => {
  expect(lineLevel(line)).toBe(level);
});
