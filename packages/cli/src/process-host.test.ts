import { afterEach, expect, it, vi } from 'vitest';
import { settingsHost } from './process-host.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

it('a process that loads models has ONNX Runtime report to nobody, unless the user has set otherwise', () => {
  vi.stubEnv('ORT_DISABLE_TELEMETRY', undefined);
  expect(settingsHost().env.ORT_DISABLE_TELEMETRY).toBe('1');
  vi.stubEnv('ORT_DISABLE_TELEMETRY', '0');
  expect(settingsHost().env.ORT_DISABLE_TELEMETRY).toBe('0');
});
