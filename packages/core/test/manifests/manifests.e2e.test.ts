import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { renderCompose } from '@ingot/core/deploy/compose';
import type { RenderedFile } from '@ingot/core/deploy/deployment';
import { renderKserve } from '@ingot/core/deploy/kserve';
import { objectsOf, renderKubernetes } from '@ingot/core/deploy/kubernetes';
import { SAMPLE_DEPLOYMENTS } from '@ingot/core/deploy/testing/sample-deployments';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { composeJudge, type Judge, kubernetesJudge } from './published-schemas.ts';

let judge: Judge;

beforeAll(async () => {
  judge = await kubernetesJudge();
});

const samples = Object.entries(SAMPLE_DEPLOYMENTS);

test.each(samples)('Kubernetes: the schemas accept a deployment that is %s', (_, deployment) => {
  for (const object of documents(renderKubernetes(deployment)))
    expect([object.kind, ...judge(object)]).toEqual([object.kind]);
});

test.each(samples)('KServe: its definitions accept a deployment that is %s', (_, deployment) => {
  for (const object of documents(renderKserve(deployment)))
    expect([object.kind, ...judge(object)]).toEqual([object.kind]);
});

test.each(samples)('Compose: its schema accepts a deployment that is %s', async (_, deployment) => {
  const compose = await composeJudge();
  for (const withRegistry of [true, false])
    for (const object of documents(renderCompose(deployment, { withRegistry }))) expect(compose(object)).toEqual([]);
});

test('the judge sees a wrong field, a wrong type and a missing one', () => {
  const [account] = objectsOf(SAMPLE_DEPLOYMENTS.generic);
  const workload = objectsOf(SAMPLE_DEPLOYMENTS.generic).find(({ kind }) => kind === 'Deployment');
  expect(judge({ ...account, automountServiceAccountToken: 'no' })).not.toEqual([]);
  expect(judge({ ...account, automount: true })).not.toEqual([]);
  expect(judge({ apiVersion: 'apps/v1', kind: 'Deployment', spec: { template: {} } })).not.toEqual([]);
  expect(judge({ ...workload })).toEqual([]);
  expect(judge(JSON.parse(JSON.stringify(workload).replace('readOnlyRootFilesystem', 'readOnlyRoot')))).toHaveLength(1);
});

function documents(files: readonly RenderedFile[]): JsonObject[] {
  const isObject = ({ path }: RenderedFile): boolean => path !== 'kustomization.yaml';
  return files.filter(isObject).map(({ text }) => {
    const object: unknown = parse(text);
    if (isJsonObject(object)) return object;
    throw new Error('no object');
  });
}
