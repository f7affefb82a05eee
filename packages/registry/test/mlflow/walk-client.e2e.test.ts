import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { digestOf } from '@ingot/core/digest';
import { expect, test } from 'vitest';
import { findMlflow } from '../../../core/test/servers/mlflow.ts';
import { needServer } from '../../../core/test/servers/need-server.ts';
import { mlflowApiOver } from '../../src/http/mlflow/mlflow-api.ts';
import { trialApp } from '../../src/http/testing/registry-app.ts';

const WALK = fileURLToPath(new URL('./walk_client.py', import.meta.url));
const RECORDED = new URL('./walk_client.mlflow-3.17.2.jsonl', import.meta.url);

/** Every source is taken for a package of its own: what packages are made of is tested with artifacts. */
const KEPT = {
  abilities: { multipartUploads: false, multipartDownloads: false, presignedUploads: false },
  packageOf: async (source: string) => ({
    manifest: digestOf(source),
    recipe: { digest: digestOf(source), pack: `${'0'.repeat(32)}/1`, offset: 0, length: 1 },
    sizeBytes: 1,
    fileCount: 1,
    flavor: 'file',
    scan: 'not scanned' as const,
  }),
  loggedModelReady: async () => {},
  addressOf: ({ modelId, number }: { readonly modelId: string; readonly number: number }) =>
    `mlflow-artifacts:/versions/${modelId}/${number}`,
};

/** Steps where this server answers otherwise than MLflow on purpose; docs/mlflow.md says why. */
const OTHERWISE: ReadonlySet<string> = new Set(["logged models status = 'READY'", 'models by name twice']);

await needServer('mlflow', findMlflow, ({ bin }) => {
  test('the client of MLflow is answered as MLflow itself answers it', async () => {
    await using trial = await trialApp({ protocols: [mlflowApiOver(KEPT)] });
    const answers = await walk(join(bin, 'python'), await trial.listen());
    const expected = stepsOf(await readFile(RECORDED, 'utf8'));
    const names = [...expected.keys()].filter((name) => !OTHERWISE.has(name));
    const of = (steps: ReadonlyMap<string, unknown>) =>
      Object.fromEntries(names.map((name) => [name, steps.get(name)]));
    expect(names.length).toBeGreaterThan(200);
    expect(of(answers)).toEqual(of(expected));
  });
});

async function walk(python: string, url: string): Promise<ReadonlyMap<string, unknown>> {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    MLFLOW_TRACKING_URI: url,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
    MLFLOW_DISABLE_TELEMETRY: 'true',
  };
  const { stdout } = await promisify(execFile)(python, ['-W', 'ignore', WALK], { env, maxBuffer: 16 * 1024 * 1024 });
  return stepsOf(stdout);
}

function stepsOf(text: string): ReadonlyMap<string, unknown> {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return new Map(
    lines.map((line): [string, unknown] => {
      const { step, answer }: { step: string; answer: unknown } = JSON.parse(line);
      return [step, answer];
    }),
  );
}
