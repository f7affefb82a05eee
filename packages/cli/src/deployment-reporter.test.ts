import type { JsonObject } from '@ingot/core/json';
import type { ServedVersion } from '@ingot/serve/model-host';
import { expect, it } from 'vitest';
import { DeploymentReporter } from './deployment-reporter.ts';

function trial() {
  let clock = Date.parse('2026-05-10T10:00:00.000Z');
  let served: readonly ServedVersion[] = [];
  let isDown = false;
  const sent: JsonObject[] = [];
  const logged: string[] = [];
  const reporter = new DeploymentReporter({
    index: () => served,
    server: { id: 'one' },
    send: async (report) => {
      if (isDown) throw new Error('no answer');
      sent.push(report);
    },
    now: () => new Date(clock),
    log: (_, message) => logged.push(message),
  });
  return {
    sent,
    logged,
    reporter,
    serve: (...versions: readonly ServedVersion[]) => {
      served = versions;
    },
    cut: (down: boolean) => {
      isDown = down;
    },
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 1000) {
        clock += 1000;
        reporter.look();
        await reporter.idle();
      }
    },
  };
}

function version(number: number, more: Partial<ServedVersion> = {}): ServedVersion {
  return {
    model: 'churn',
    version: String(number),
    digest: `sha256:${number}`,
    sources: ['churn@production'],
    state: 'READY',
    platform: '',
    flavor: 'sklearn',
    loadedAt: `2026-05-10T10:00:0${number}.000Z`,
    ...more,
  };
}

const versionsIn = (report: JsonObject | undefined) =>
  Array.isArray(report?.versions) ? report.versions.map((each) => JSON.parse(JSON.stringify(each))) : [];

it('reports at the start, on a change, and once a minute', async () => {
  const { sent, serve, pass } = trial();
  serve(version(1), version(2, { state: 'LOADING' }), version(3, { sources: ['s3://b/x.pkl'] }));
  await pass(1000);
  expect(sent).toHaveLength(1);
  expect(versionsIn(sent[0])).toMatchObject([{ model: 'churn', number: 1, since: '2026-05-10T10:00:01.000Z' }]);
  await pass(30_000);
  expect(sent).toHaveLength(1);
  await pass(31_000);
  expect(sent).toHaveLength(2);
  serve(version(2));
  await pass(1000);
  expect(versionsIn(sent[2])).toMatchObject([{ number: 1, until: expect.any(String) }, { number: 2 }]);
  await pass(61_000);
  expect(versionsIn(sent[3])).toMatchObject([{ number: 2 }]);
  expect(sent).toHaveLength(4);
});

it('keeps what happens while the registry is down, and sends it when it is back', async () => {
  const { sent, logged, serve, pass, cut } = trial();
  serve(version(1));
  await pass(1000);
  cut(true);
  serve(version(2));
  await pass(100_000);
  serve(version(3));
  await pass(100_000);
  expect(sent).toHaveLength(1);
  expect(logged).toEqual(['the registry does not take reports of what runs here, they are kept: no answer']);
  cut(false);
  await pass(61_000);
  expect(versionsIn(sent[1])).toMatchObject([
    { number: 1, until: expect.any(String) },
    { number: 2, until: expect.any(String) },
    { number: 3 },
  ]);
  expect(versionsIn(sent[1]).at(-1)).not.toHaveProperty('until');
});

it('says once that the server ends, and bears that nobody hears it', async () => {
  const { sent, serve, pass, cut, reporter } = trial();
  serve(version(1));
  await pass(1000);
  await reporter.end();
  expect(sent.at(-1)).toMatchObject({ isLast: true });
  cut(true);
  await reporter.end();
});
