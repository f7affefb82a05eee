import { IngotError } from '@ingot/core/errors';
import { expect, test } from 'vitest';
import { startModelServer } from './server.ts';
import { TinyModels } from './testing/tiny-models.ts';

async function serving(models: TinyModels) {
  const server = await startModelServer({
    source: models,
    sources: [...models.names.keys()],
    port: 0,
    followIntervalMs: 5,
    runtimes: [models.runtime()],
    python: { workerDirectory: '', environmentsDirectory: '', environment: {}, temporaryDirectory: '' },
    log: () => {},
  });
  const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text();
  return { server, metrics };
}

test('a scrape shows loads that worked and failed, and which version a source names', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  const { server, metrics } = await serving(models);
  try {
    expect(await metrics()).toMatch(/ingot_model_load_seconds_count\{model="churn",version="7",result="ok"\} 1/);
    models.broken.set(8, new IngotError('model-failed', 'no weights'));
    models.names.set('churn@production', 8);
    await expect.poll(metrics).toContain('ingot_model_load_seconds_count{model="churn",version="8",result="failed"} 1');
    expect(await metrics()).toContain('ingot_model_source{source="churn@production",model="churn",version="7"} 1');
    models.names.set('churn@production', 9);
    await expect.poll(metrics).toContain('ingot_model_source{source="churn@production",model="churn",version="9"} 1');
    expect(await metrics()).not.toContain('source="churn@production",model="churn",version="7"');
  } finally {
    await server.close();
  }
});

test('paths that nobody knows do not grow the metrics', async () => {
  const { server, metrics } = await serving(new TinyModels({ churn: 7 }));
  try {
    const ask = (path: string) =>
      fetch(server.url + path, { method: 'POST', body: '[]' }).then((answer) => answer.text());
    await ask('/nope/0');
    await ask('/predict/nope0');
    const series = (text: string): number => text.match(/^ingot_requests_total/gm)?.length ?? 0;
    const before = series(await metrics());
    for (let index = 1; index < 30; index += 1)
      await Promise.all([ask(`/nope/${index}`), ask(`/predict/nope${index}`)]);
    // The scrape itself is one more.
    expect(series(await metrics())).toBeLessThanOrEqual(before + 1);
  } finally {
    await server.close();
  }
});

test('many sources wait without a warning of Node', async () => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  const names = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`m${index}`, 1]));
  const { server } = await serving(new TinyModels(names));
  await server.close();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  expect(warnings.filter((text) => text.includes('abort listeners'))).toEqual([]);
});
