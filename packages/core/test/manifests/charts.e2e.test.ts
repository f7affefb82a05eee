import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { renderKserve } from '@ingot/core/deploy/kserve';
import { objectsOf, renderKubernetes } from '@ingot/core/deploy/kubernetes';
import type { Deployment } from '@ingot/core/deploy/deployment';
import { SAMPLE_DEPLOYMENTS } from '@ingot/core/deploy/testing/sample-deployments';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { type Judge, kubernetesJudge } from './published-schemas.ts';

const DEPLOY = fileURLToPath(new URL('../../../../deploy', import.meta.url));
const run = promisify(execFile);
const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = ['image.repository=registry.example.com/ingot', 'image.tag=1', `image.digest=${DIGEST}`];
const SERVE = [...IMAGE, 'models={churn@production}', 'registry=https://models.example.com'];
const REGISTRY = [
  ...IMAGE,
  'store=s3://models/team',
  'database.secret=registry-database',
  'credentialsSecret=registry-credentials',
  'secretsKeySecret=registry-secrets-key',
];

let judge: Judge;
let helm: string;
let kustomize: string;

beforeAll(async () => {
  [judge, helm, kustomize] = await Promise.all([kubernetesJudge(), testServer('helm'), testServer('kustomize')]);
});

async function chart(
  name: string,
  values: readonly string[],
  release = 'churn',
  json: readonly string[] = [],
): Promise<JsonObject[]> {
  const set = [...json.flatMap((one) => ['--set-json', one]), ...values.flatMap((value) => ['--set', value])];
  const args = ['template', release, join(DEPLOY, 'helm', name), '--kube-version', '1.36.0', '-n', 'models', ...set];
  return documents((await run(helm, args)).stdout);
}

/** What helm says of values that it does not take. */
async function refusal(name: string, values: readonly string[]): Promise<string> {
  const rendered = chart(name, values).then(() => 'rendered');
  return rendered.catch((error: { readonly stderr: string }) => error.stderr);
}

async function built(folder: string): Promise<JsonObject[]> {
  return documents((await run(kustomize, ['build', join(DEPLOY, 'kustomize', folder)])).stdout);
}

function documents(text: string): JsonObject[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter(isJsonObject);
}

const wrong = (objects: readonly JsonObject[]): string[] =>
  objects.flatMap((object) => judge(object).map((why) => `${String(object.kind)}${why}`));

const find = (objects: readonly JsonObject[], kind: string): JsonObject => {
  const found = objects.find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};

function at(object: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((value, key) => (isJsonObject(value) ? value[key] : undefined), object);
}

/** Names of settings are made of what they hold, which charts do in their own way. */
const anyName = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/-settings(?:-[a-z0-9]+)?"/g, '-settings"'));

describe('the chart of model servers', () => {
  test('is what helm takes for well made', async () => {
    const set = SERVE.flatMap((value) => ['--set', value]);
    await run(helm, ['lint', '--strict', join(DEPLOY, 'helm/ingot-serve'), ...set]);
  });

  test.each([
    ['generic', [...SERVE, 'credentialsSecret=churn-credentials']],
    ['baked', [...IMAGE, 'delivery=baked', 'autoscaling.enabled=false', 'replicas=3']],
    ['imageVolume', [...IMAGE, 'delivery=image', 'modelImage=registry.example.com/m:7']],
  ] as const)('runs pods as `ingot deploy kubernetes` does: %s', async (name, values) => {
    const objects = await chart('ingot-serve', [...values, 'serviceMonitor.enabled=true']);
    expect(wrong(objects)).toEqual([]);
    const same = { ...SAMPLE_DEPLOYMENTS[name], name: 'churn', image: `registry.example.com/ingot:1@${DIGEST}` };
    const isImage = same.delivery.kind === 'image';
    const delivery = isImage ? { ...same.delivery, image: 'registry.example.com/m:7' } : same.delivery;
    const own = objectsOf({ ...same, delivery, cpu: SAMPLE_DEPLOYMENTS.generic.cpu } as Deployment);
    const podOf = (list: readonly JsonObject[]) => at(find(list, 'Deployment'), 'spec', 'template', 'spec');
    // Who writes values says which secret there is.
    const expected = JSON.stringify(podOf(own)).replaceAll(',"optional":true', '');
    expect(anyName(podOf(objects))).toEqual(anyName(JSON.parse(expected)));
    for (const kind of ['ConfigMap', 'PodDisruptionBudget', 'NetworkPolicy'])
      for (const part of ['data', 'spec']) expect(at(find(objects, kind), part)).toEqual(at(find(own, kind), part));
  });

  test.each([
    ['no model', [...IMAGE, 'registry=https://models.example.com'], '/models'],
    ['a directory for a registry', [...IMAGE, 'models={churn}', 'registry=/srv/store'], '/registry'],
    ['a misspelt value', [...SERVE, 'replica=3'], 'replica'],
    ['a secret among the settings', [...SERVE, 'settings.AZURE_STORAGE_KEY=abc'], 'AZURE_STORAGE_KEY'],
    ['a setting that has another place', [...SERVE, 'settings.INGOT_PORT=9000'], 'INGOT_PORT'],
    ['a secret in an address', [...SERVE, 'registry=https://u:hush@models.example.com'], '/registry'],
    ['no image', SERVE.slice(IMAGE.length), '/image'],
  ] as const)('refuses %s', async (_, values, where) => {
    expect(await refusal('ingot-serve', values)).toContain(where);
  });

  test('takes names of releases and numbers of files that Kubernetes and YAML would take otherwise', async () => {
    const numbers = ['image.tag=20261122', 'settings={"INGOT_MEMORY":10485760,"HALF":0.5}'];
    const values = [...SERVE.filter((value) => !/tag|digest/.test(value)), 'networkPolicy.egressPorts={443,9000}'];
    const objects = await chart('ingot-serve', values, '7up.v2', numbers);
    expect(wrong(objects)).toEqual([]);
    expect(at(find(objects, 'Service'), 'metadata', 'name')).toBe('m-7up-v2');
    expect(at(find(objects, 'ConfigMap'), 'data')).toMatchObject({ INGOT_MEMORY: '10485760', HALF: '0.5' });
    expect(JSON.stringify(find(objects, 'Deployment'))).toContain('"registry.example.com/ingot:20261122"');
    const ports = JSON.stringify(at(find(objects, 'NetworkPolicy'), 'spec', 'egress')).match(/"port":\d+/g);
    expect(ports).toEqual(['53', '53', '443', '9000', '8585'].map((port) => `"port":${port}`));
  });

  test('a hostile value stays a text', async () => {
    const hostile = `x"\\n  evil: "yes {{ .Release.Name }} $(HOME) 'no'`;
    const objects = await chart('ingot-serve', [...SERVE, `settings.A=${hostile.replaceAll(',', '\\,')}`]);
    expect(wrong(objects)).toEqual([]);
    expect(Object.keys(at(find(objects, 'ConfigMap'), 'data') ?? {})).not.toContain('evil');
    expect(String(at(find(objects, 'ConfigMap'), 'data', 'A'))).toContain('{{ .Release.Name }}');
  });
});

describe('the chart of the registry', () => {
  test('is what helm takes for well made', async () => {
    const set = REGISTRY.flatMap((value) => ['--set', value]);
    await run(helm, ['lint', '--strict', join(DEPLOY, 'helm/ingot-registry'), ...set]);
  });

  test('runs pods as the Kustomize base does, and the schemas accept both', async () => {
    const extra = [
      'ingress.enabled=true',
      'ingress.host=m.example.com',
      'ingress.tlsSecret=tls',
      'serviceMonitor.enabled=true',
      'serviceMonitor.tokenSecret=metrics',
    ];
    const objects = await chart('ingot-registry', [...REGISTRY, ...extra], 'registry');
    const base = await built('registry/base');
    expect(wrong([...objects, ...base, ...(await built('registry/overlays/production'))])).toEqual([]);
    const named = JSON.stringify(find(base, 'Deployment')).replace(
      'registry.example.com/ingot',
      `registry.example.com/ingot:1@${DIGEST}`,
    );
    const deployment = find(objects, 'Deployment');
    const own: JsonObject = JSON.parse(named);
    expect(anyName(at(deployment, 'spec', 'template', 'spec'))).toEqual(anyName(at(own, 'spec', 'template', 'spec')));
    for (const kind of ['PodDisruptionBudget', 'NetworkPolicy', 'Service'])
      expect(at(find(objects, kind), 'spec')).toEqual(at(find(base, kind), 'spec'));
  });

  test.each([
    ['a store on a disk', [...REGISTRY, 'store=/srv/store'], '/store'],
    ['metrics without a token', [...REGISTRY, 'serviceMonitor.enabled=true'], '/serviceMonitor'],
    ['the database’s address among the settings', [...REGISTRY, 'settings.INGOT_DB=postgres://u:p@h/d'], 'INGOT_DB'],
  ] as const)('refuses %s', async (_, values, where) => {
    expect(await refusal('ingot-registry', values)).toContain(where);
  });
});

describe('Kustomize', () => {
  const image = 'registry.example.com/ingot:1';
  const generic = { ...SAMPLE_DEPLOYMENTS.generic, image };
  const readAll = (folder: string, files: readonly { readonly path: string }[]) =>
    Promise.all(files.map(async ({ path }) => ({ path, text: await readFile(join(DEPLOY, folder, path), 'utf8') })));

  test('the base of model servers is what `ingot deploy kubernetes` writes', async () => {
    const files = renderKubernetes(generic);
    expect(await readAll('kustomize/model-server/base', files)).toEqual(files);
    expect(wrong(await built('model-server/overlays/production'))).toEqual([]);
  });

  test('the example of KServe is what `ingot deploy kserve` writes', async () => {
    const { delivery } = generic;
    const files = renderKserve({
      ...generic,
      source: 'churn:7',
      delivery: { ...delivery, models: 'churn:7' } as typeof delivery,
    });
    expect(await readAll('kustomize/kserve', files)).toEqual(files);
    // What KServe's definitions say of them is asked beside, of the same deployment: compiling them takes its time.
    const kinds = (await built('kserve')).map(({ kind }) => kind);
    expect(kinds.sort()).toEqual(['InferenceService', 'ServingRuntime']);
  });
});
