/**
 * Kubernetes as far as manifests need it: the published schemas, for every test run, and a real API server with its
 * etcd, which takes minutes to build and is therefore made by name only (`npm run kubernetes`).
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../run.mjs';
import { findGo, goModuleFiles, install } from './tools.mjs';

const KUBERNETES = 'v1.36.3';
/** Staging modules are published apart, numbered alike. */
const STAGING = KUBERNETES.replace('v1.', 'v0.');

const SPEC = 'api/openapi-spec/v3';

/** OpenAPI documents of Kubernetes by group and version, as its API server tells them. */
export const KUBERNETES_SCHEMAS = goModuleFiles('kubernetes-schemas', `k8s.io/kubernetes@${KUBERNETES}`, [
  `${SPEC}/api__v1_openapi.json`,
  `${SPEC}/apis__apps__v1_openapi.json`,
  `${SPEC}/apis__autoscaling__v2_openapi.json`,
  `${SPEC}/apis__networking.k8s.io__v1_openapi.json`,
  `${SPEC}/apis__policy__v1_openapi.json`,
]);

/** Custom resource definitions of KServe. */
export const KSERVE_SCHEMAS = goModuleFiles('kserve-schemas', 'github.com/kserve/kserve@v0.16.0', [
  'config/crd/full/serving.kserve.io_inferenceservices.yaml',
  'config/crd/full/serving.kserve.io_servingruntimes.yaml',
  'config/crd/full/serving.kserve.io_clusterstoragecontainers.yaml',
]);

/** Custom resource definitions of the Prometheus operator. */
export const MONITORING_SCHEMAS = goModuleFiles(
  'monitoring-schemas',
  'github.com/prometheus-operator/prometheus-operator@v0.85.0',
  ['example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml'],
);

/** The JSON Schema of the Compose specification. */
export const COMPOSE_SCHEMA = goModuleFiles('compose-schema', 'github.com/compose-spec/compose-go/v2@v2.9.0', [
  'schema/compose-spec.json',
]);

/** A real API server and the etcd under it: `kube-apiserver` and `etcd` in one directory. */
const API_SERVER = {
  name: `kube-apiserver-${KUBERNETES}`,
  make: async (into) => {
    const go = await findGo();
    const source = join(into, 'source');
    writeModule(source, await kubernetesModule(go));
    // The module names no packages of its own, so what they need is looked up while building.
    const env = { ...process.env, GOFLAGS: `${process.env.GOFLAGS ?? ''} -mod=mod`.trim() };
    const build = (name, path) =>
      run(go, ['build', '-trimpath', '-ldflags=-s -w', '-o', join(into, name), path], { cwd: source, env, label: name });
    await build('kube-apiserver', 'k8s.io/kubernetes/cmd/kube-apiserver');
    await build('etcd', './etcd');
  },
};

/** Builds the API server unless it is there, and gives its directory. */
export const kubeApiServer = () => install(API_SERVER);

async function kubernetesModule(go) {
  const { stdout } = await run(go, ['mod', 'download', '-json', `k8s.io/kubernetes@${KUBERNETES}`], { cwd: '/' });
  return readFileSync(JSON.parse(stdout).GoMod, 'utf8');
}

/** A module that stands for Kubernetes' own: what that replaces by folders beside it, this replaces by what is published. */
function writeModule(directory, kubernetesGoMod) {
  mkdirSync(join(directory, 'etcd'), { recursive: true });
  const staging = [...kubernetesGoMod.matchAll(/^\s*(k8s\.io\/\S+) => \.\/staging/gm)].map(([, name]) => name);
  const goVersion = /^go (\S+)/m.exec(kubernetesGoMod)?.[1];
  const etcd = /go\.etcd\.io\/etcd\/client\/v3 (\S+)/.exec(kubernetesGoMod)?.[1];
  const lines = [
    'module apiserver',
    `go ${goVersion}`,
    `require k8s.io/kubernetes ${KUBERNETES}`,
    `require go.etcd.io/etcd/server/v3 ${etcd}`,
    ...staging.map((name) => `replace ${name} => ${name} ${STAGING}`),
  ];
  writeFileSync(join(directory, 'go.mod'), `${lines.join('\n')}\n`);
  const main = 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n';
  writeFileSync(join(directory, 'etcd', 'main.go'), main);
}
