import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ERROR_CODES } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allRoutes } from './routes.ts';
import { httpStatus } from './status.ts';
import { type MemoryModel, memoryHost } from './testing/memory-host.ts';
import { type ServedApp, serveApp } from './testing/served-app.ts';

const page = readFileSync(new URL('../../../../docs/serving.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```sh\n(curl [\s\S]*?)```\n```json\n([\s\S]*?)```/g)];

/** The model of the page: who came lately leaves. */
const CHURN: MemoryModel = {
  name: 'churn',
  version: '7',
  signature: {
    origin: 'metadata',
    inputs: [
      { name: 'tenure', type: 'float' },
      { name: 'payment_method', type: 'categorical', categories: ['Credit Card', 'Debit Card', 'PayPal'] },
      { name: 'monthly_charges', type: 'float' },
      { name: 'gender', type: 'categorical', categories: ['Male', 'Female', 'Other'] },
    ],
    outputs: [{ name: 'churn_probability', type: 'float', format: 'percentage' }],
  },
  predict({ inputs }: PredictRequest): PredictResult {
    const tenures = Array.from<unknown, number>(inputs[0]?.data ?? [], Number);
    const data = Float64Array.from(tenures, (months) => (months < 12 ? 0.79 : 0.21));
    return { outputs: [{ name: 'churn_probability', datatype: 'FP64', shape: [data.length], data }] };
  },
};

describe('docs/serving.md', () => {
  let served: ServedApp;
  beforeAll(async () => {
    served = await serveApp({ host: memoryHost([CHURN]) });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  test.each(examples.map(([, command = '', answer = '']) => [command.slice(0, 70), command, answer]))(
    'shows what %s really answers',
    async (_, command, answer) => {
      const line = command.replaceAll('127.0.0.1:8080', `127.0.0.1:${served.port}`);
      const { stdout } = await promisify(execFile)('bash', ['-c', line]);
      expect(JSON.parse(stdout)).toEqual(JSON.parse(answer));
    },
  );

  test('has an example of each protocol and of an error', () => {
    expect(examples).toHaveLength(4);
  });

  test('tells each code with the status it really has', () => {
    const rows = [...page.matchAll(/^\| (\d{3}) \| ([^|]+) \|/gm)];
    const told = rows.flatMap(([, status, codes = '']) =>
      [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code]) => ({ status: Number(status), code })),
    );
    expect(told.length).toBeGreaterThan(10);
    for (const { status, code } of told) {
      const known = ERROR_CODES.find((candidate) => candidate === code);
      expect(known === undefined ? undefined : httpStatus(known), code).toBe(status);
    }
  });

  test('names every route', () => {
    const paths = allRoutes()
      .map(({ path }) => path.replace(':model', '<model>'))
      .filter((path) => !path.includes(':'));
    const isNamed = (path: string): boolean => {
      const last = path.slice(path.lastIndexOf('/'));
      return page.includes(`${path}\``) || (path.includes('<model>') && page.includes(`…${last}\``));
    };
    expect(paths.filter((path) => !isNamed(path))).toEqual([]);
  });
});
