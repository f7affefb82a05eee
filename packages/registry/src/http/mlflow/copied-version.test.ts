import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { expect, it } from 'vitest';
import type { Authorizer } from '../../access/identity.ts';
import { type Artifacts, openArtifacts } from '../../artifacts/artifacts.ts';
import { trialApp } from '../testing/registry-app.ts';
import { mlflowApi } from './mlflow-api.ts';

it('a version of files is made only by who may read them where they are', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'ingot-copied-'));
  const opened: Artifacts[] = [];
  const asked: string[] = [];
  const authorizer: Authorizer = {
    may: () => true,
    check: (_identity, permission, target) => {
      const where = target.kind === 'model' ? target.model : 'server';
      asked.push(`${permission} ${where}`);
      if (where !== 'mine') throw new IngotError('forbidden', `no ${permission} on ${where}`);
    },
  };
  await using trial = await trialApp({
    authorizer,
    protocols: [
      async (app, services) => {
        const artifacts = await openArtifacts(services, { scratch });
        opened.push(artifacts);
        await mlflowApi(artifacts)(app, services);
      },
    ],
  });
  const post = (route: string, payload: object) =>
    trial.app.inject({ method: 'POST', url: `/api/2.0/mlflow/${route}`, payload });
  expect((await post('registered-models/create', { name: 'mine' })).statusCode).toBe(200);
  for (const source of ['models:/secret/1', `models:/m-${'0'.repeat(32)}`, 'mlflow-artifacts:/0/r/artifacts/model']) {
    const answer = await post('model-versions/create', { name: 'mine', source });
    expect(answer.statusCode, source).toBe(403);
  }
  expect(asked).toContain('read secret');
  for (const artifacts of opened) await artifacts[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
