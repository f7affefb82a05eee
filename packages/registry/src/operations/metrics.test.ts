import { expect, test } from 'vitest';
import { createServerMetrics } from './metrics.ts';

test('what only grows is a counter, also the time of the processor, which is told anew each time', async () => {
  const metrics = createServerMetrics('1.2.3');
  const nothing = { webhooksWaiting: 0, logProblems: 0, logsBehind: 0, storeSeconds: 0, databaseSeconds: undefined };
  await metrics.text(nothing);
  const text = await metrics.text(nothing);
  const totals = [...text.matchAll(/^# TYPE (\S+_total) (\S+)$/gm)].map(([, name, type]) => [name, type]);
  expect(totals).toEqual([
    ['ingot_http_requests_total', 'counter'],
    ['process_cpu_seconds_total', 'counter'],
  ]);
  const seconds = Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]);
  expect(seconds).toBeLessThanOrEqual(process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6);
});
