/**
 * Shows everything that is rendered for Kubernetes to a real API server: what `ingot deploy` writes, what the charts and
 * the Kustomize overlays give. Each object is applied in a dry run that is strict about fields, then for good; the pods
 * are made in a namespace that takes only the `restricted` security standard.
 *
 *     npm run kubernetes
 *
 * The first run builds the API server and its etcd from their published modules, which takes many minutes of processor
 * time and is therefore no part of `npm test`.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { buildCli } from './build.mjs';
import { inRoot } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { kubeApiServer } from './lib/servers/kubernetes.mjs';
import { testServer } from './lib/servers/test-servers.mjs';
import { green, red, step } from './lib/terminal.mjs';

const TOKEN = 'of-this-run-only';
const NAMESPACES = ['models', 'ingot'];
const STARTS_WITHIN_MS = 120_000;
const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = `registry.example.com/ingot:1@${DIGEST}`;

/** Where objects of a kind are, and whether they belong to a namespace. */
const PLACES = {
  ConfigMap: ['api/v1', 'configmaps'],
  Deployment: ['apis/apps/v1', 'deployments'],
  HorizontalPodAutoscaler: ['apis/autoscaling/v2', 'horizontalpodautoscalers'],
  InferenceService: ['apis/serving.kserve.io/v1beta1', 'inferenceservices'],
  Ingress: ['apis/networking.k8s.io/v1', 'ingresses'],
  NetworkPolicy: ['apis/networking.k8s.io/v1', 'networkpolicies'],
  Pod: ['api/v1', 'pods'],
  PodDisruptionBudget: ['apis/policy/v1', 'poddisruptionbudgets'],
  Service: ['api/v1', 'services'],
  ServiceAccount: ['api/v1', 'serviceaccounts'],
  ServiceMonitor: ['apis/monitoring.coreos.com/v1', 'servicemonitors'],
  ServingRuntime: ['apis/serving.kserve.io/v1alpha1', 'servingruntimes'],
};
const OF_THE_CLUSTER = {
  ClusterStorageContainer: ['apis/serving.kserve.io/v1alpha1', 'clusterstoragecontainers'],
  CustomResourceDefinition: ['apis/apiextensions.k8s.io/v1', 'customresourcedefinitions'],
  Namespace: ['api/v1', 'namespaces'],
};

async function main() {
  const programs = await step('API server, once', () => kubeApiServer());
  const sources = await step('manifests', () => renderAll());
  const directory = mkdtempSync(join(tmpdir(), 'ingot-kubernetes-'));
  const started = [];
  try {
    const ask = await step('start', () => start(programs, directory, started));
    await step('definitions and namespaces', () => prepare(ask));
    let refused = 0;
    for (const [name, objects] of sources) refused += await judge(name, objects, ask);
    console.log(refused === 0 ? green('accepted: everything') : red(`refused: ${refused} objects`));
    return refused === 0 ? 0 : 1;
  } finally {
    for (const child of started.reverse()) await ended(child);
    rmSync(directory, { recursive: true, force: true });
  }
}

// --- what is shown

async function renderAll() {
  await buildCli();
  const [helm, kustomize] = await Promise.all([testServer('helm'), testServer('kustomize')]);
  const deploy = async (target, ...flags) => {
    const args = [inRoot('packages/cli/bin/ingot.js'), 'deploy', target, 'churn@production', '--image', IMAGE, '--json', ...flags];
    const { stdout } = await run(process.execPath, args, { env: { ...process.env, INGOT_REGISTRY: 'https://models.invalid', INGOT_OFFLINE: '1' } });
    return objectsIn(JSON.parse(stdout).files.filter(({ path }) => path !== 'kustomization.yaml').map(({ text }) => text));
  };
  const chart = async (name, ...set) => {
    const values = ['image.repository=registry.example.com/ingot', `image.digest=${DIGEST}`, 'serviceMonitor.enabled=true', ...set];
    const args = ['template', 'churn', inRoot('deploy/helm', name), '--kube-version', '1.36.0', '-n', 'models', ...values.flatMap((value) => ['--set', value])];
    return objectsIn([(await run(helm, args)).stdout]);
  };
  const overlay = async (path) => objectsIn([(await run(kustomize, ['build', inRoot('deploy/kustomize', path)])).stdout]);
  const modelImage = ['--model-image', `registry.example.com/churn-model:7@${DIGEST}`];
  return [
    ['deploy kubernetes', await deploy('kubernetes')],
    ['deploy kubernetes --baked', await deploy('kubernetes', '--baked', '--name', 'baked', '--replicas', '3', '--cpu', '500m:2')],
    ['deploy kubernetes --model-image', await deploy('kubernetes', '--name', 'volume', ...modelImage)],
    ['deploy kserve', await deploy('kserve')],
    ['deploy kserve --baked', await deploy('kserve', '--baked', '--name', 'baked', '--min', '1', '--max', '3')],
    ['deploy kserve --model-image', await deploy('kserve', '--name', 'modelcar', ...modelImage)],
    ['chart ingot-serve', await chart('ingot-serve', 'models={churn@production}', 'registry=https://models.example.com')],
    ['chart ingot-registry', await chart('ingot-registry', 'store=s3://models/team', 'database.secret=db', 'secretsKeySecret=key', 'serviceMonitor.tokenSecret=metrics', 'ingress.enabled=true', 'ingress.host=models.example.com', 'ingress.tlsSecret=tls')],
    ['kustomize registry', await overlay('registry/overlays/production')],
    ['kustomize model-server', await overlay('model-server/overlays/production')],
    ['kustomize kserve', await overlay('kserve')],
  ];
}

const objectsIn = (texts) => texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS())).filter(Boolean);

// --- who judges

async function start(programs, directory, started) {
  const [etcdPort, peerPort, port] = await freePorts(3);
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const launch = (name, args) => {
    const child = spawn(join(programs, name), args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    child.log = '';
    child.stderr.on('data', (data) => {
      child.log = (child.log + data).slice(-20_000);
    });
    started.push(child);
    return child;
  };
  launch('etcd', ['--data-dir', join(directory, 'etcd'), '--listen-client-urls', etcd, '--advertise-client-urls', etcd, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`]);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = join(directory, 'accounts.key');
  writeFileSync(key, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(directory, 'tokens.csv'), `${TOKEN},admin,1,system:masters\n`, { mode: 0o600 });
  const server = launch('kube-apiserver', [
    '--etcd-servers', etcd, '--bind-address', '127.0.0.1', '--secure-port', String(port), '--cert-dir', directory,
    '--service-cluster-ip-range', '10.0.0.0/24', '--service-account-issuer', 'https://kubernetes.invalid',
    '--service-account-key-file', key, '--service-account-signing-key-file', key,
    '--token-auth-file', join(directory, 'tokens.csv'), '--authorization-mode', 'RBAC', '--anonymous-auth=false',
  ]);
  const ask = (method, path, body, type = 'application/json') => askServer({ port, directory, method, path, body, type });
  for (const began = performance.now(); ; await sleep(500)) {
    if (server.exitCode !== null) throw new Error(`the API server ended:\n${server.log.split('\n').slice(-15).join('\n')}`);
    const ready = await ask('GET', '/readyz').catch(() => undefined);
    if (ready?.status === 200) return ask;
    if (performance.now() - began > STARTS_WITHIN_MS) throw new Error(`the API server is not ready: ${ready?.text ?? server.log}`);
  }
}

async function askServer({ port, directory, method, path, body, type }) {
  // The server has just made its certificate for itself.
  const ca = readFileSync(join(directory, 'apiserver.crt'));
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': type };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, ca, servername: 'localhost', checkServerIdentity: () => undefined }, (reply) => {
      const parts = [];
      reply.on('data', (part) => parts.push(part)).on('error', reject);
      reply.on('end', () => resolve({ status: reply.statusCode, text: Buffer.concat(parts).toString(), warnings: [reply.headers.warning ?? []].flat() }));
    });
    sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function prepare(ask) {
  const directories = [
    join(await testServer('kserve-schemas'), 'config/crd/full'),
    join(await testServer('monitoring-schemas'), 'example/prometheus-operator-crd'),
  ];
  const definitions = directories.flatMap((directory) => objectsIn(readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'))));
  // No webhook of KServe runs here, which would turn one version into another.
  for (const { spec, ...rest } of definitions) await must(ask, { ...rest, spec: { ...spec, conversion: { strategy: 'None' } } });
  for (const name of NAMESPACES) {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/enforce-version': 'latest' };
    await must(ask, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }
  for (const { metadata, spec } of definitions)
    for (const began = performance.now(); ; await sleep(200)) {
      const served = spec.versions.find(({ served }) => served).name;
      const { status } = await ask('GET', `/apis/${spec.group}/${served}/${spec.names.plural}`);
      if (status === 200) break;
      if (performance.now() - began > 30_000) throw new Error(`${metadata.name} is not served: ${status}`);
    }
}

async function must(ask, object) {
  const { status, text } = await apply(ask, object, '');
  if (status >= 300) throw new Error(`${object.kind} ${object.metadata.name}: ${status} ${text.slice(0, 500)}`);
}

function addressOf({ kind, metadata }) {
  const namespaced = PLACES[kind];
  const [api, plural] = namespaced ?? OF_THE_CLUSTER[kind] ?? [];
  if (api === undefined) throw new Error(`nobody knows where a ${kind} is`);
  const within = namespaced ? `/namespaces/${metadata.namespace ?? 'models'}` : '';
  return `/${api}${within}/${plural}/${metadata.name}`;
}

function apply(ask, object, mode) {
  const query = `?fieldManager=ingot&force=true&fieldValidation=Strict${mode}`;
  return ask('PATCH', addressOf(object) + query, object, 'application/apply-patch+yaml');
}

/** Applies objects, dry and for good, and the pods of their workloads; gives how many were refused or warned of. */
async function judge(name, objects, ask) {
  const pods = objects.filter(({ kind }) => kind === 'Deployment').map(podOf);
  let refused = 0;
  for (const [object, mode] of [...objects.map((object) => [object, '&dryRun=All']), ...[...objects, ...pods].map((object) => [object, ''])]) {
    const { status, text, warnings } = await apply(ask, object, mode);
    if (status < 300 && warnings.length === 0) continue;
    refused += 1;
    const why = status < 300 ? warnings.join(' ') : (JSON.parse(text).message ?? text);
    console.log(`${red('✗')} ${name}: ${object.kind} ${object.metadata.name}: ${why}`);
  }
  // What comes next may have the same names.
  for (const object of [...objects, ...pods]) await ask('DELETE', `${addressOf(object)}?gracePeriodSeconds=0`);
  if (refused === 0) console.log(`${green('✓')} ${name}: ${objects.length} objects, ${pods.length} pods`);
  return refused;
}

const podOf = ({ metadata, spec: { template } }) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...template.metadata, name: `${metadata.name}-pod`, namespace: metadata.namespace ?? 'models' },
  spec: template.spec,
});

// --- processes

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(killer);
}

process.exitCode = await main();
