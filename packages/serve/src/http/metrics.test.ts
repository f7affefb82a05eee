import { expect, test } from 'vitest';
import { createServeMetrics } from './metrics.ts';

const labels = { route: 'predict', model: 'churn', version: '7', status: 200 };
const cost = { seconds: 0.002, receivedBytes: 10, sentBytes: 20 };

test('counters go on across scrapes', async () => {
  const metrics = createServeMetrics();
  for (let scrape = 1; scrape <= 2; scrape += 1) {
    metrics.started();
    metrics.finished(labels, cost);
    const text = await metrics.registry.metrics();
    expect(text).toContain(`ingot_requests_total{route="predict",model="churn",version="7",status="200"} ${scrape}\n`);
    expect(text).toContain(`ingot_request_bytes_total{route="predict",model="churn",version="7"} ${10 * scrape}\n`);
    expect(text).toContain(`ingot_response_bytes_total{route="predict",model="churn",version="7"} ${20 * scrape}\n`);
    expect(text).toContain(
      `ingot_request_duration_seconds_count{route="predict",model="churn",version="7"} ${scrape}\n`,
    );
  }
});

test('requests in flight are those that started and did not finish', async () => {
  const metrics = createServeMetrics();
  metrics.started();
  metrics.started();
  metrics.finished(labels, cost);
  expect(await metrics.registry.metrics()).toContain('ingot_requests_in_flight 1\n');
});

test('loads and states are reported by version', async () => {
  const metrics = createServeMetrics();
  metrics.loaded('churn', '7', 'failed', 0.3);
  metrics.watch({
    index: () => [
      { model: 'churn', version: '7', digest: 'd', sources: [], state: 'LOADING', platform: 'p', flavor: 'f' },
    ],
  });
  const text = await metrics.registry.metrics();
  expect(text).toContain('ingot_model_load_seconds_count{model="churn",version="7",result="failed"} 1\n');
  expect(text).toContain('ingot_model_state{model="churn",version="7",state="LOADING"} 1\n');
});
