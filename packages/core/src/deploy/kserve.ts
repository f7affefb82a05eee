import type { JsonObject } from '../json.ts';
import type { Deployment, RenderedFile } from './deployment.ts';
import { SERVE_PORT } from './deployment.ts';
import { annotationsOf, metadataOf } from './kubernetes-labels.ts';
import { CONTAINER_SECURITY, resourcesOf } from './pod-template.ts';
import { CACHE_DIRECTORY } from './server-settings.ts';
import { storageContainer } from './storage-container.ts';
import { yamlDocument } from './yaml-document.ts';

/** KServe puts the model there, whoever brought it. */
const MODELS = 'baked:/mnt/models';
/**
 * KServe leaves pods the 30 seconds of Kubernetes, and no time before they are told to stop: a server goes on answering
 * until nobody sends to it any more, then lets requests end, and has the rest for its workers.
 */
export const KSERVE_STOPPING = { lingerSeconds: 5, drainSeconds: 15 } as const;

/**
 * Renders a deployment for KServe: an `InferenceService` of the Open Inference Protocol, the `ServingRuntime` that it
 * names, and the cluster's `ClusterStorageContainer` for `ingot://`, which is applied once by whoever runs the cluster
 * and therefore is not among the resources of `kustomization.yaml`. With the model in an image of its own, KServe mounts
 * it as a modelcar; with a baked image there is nothing to bring, and no runtime either.
 */
export function renderKserve(deployment: Deployment): readonly RenderedFile[] {
  const isBaked = deployment.delivery.kind === 'baked';
  const own = [...(isBaked ? [] : [file(servingRuntime(deployment))]), file(inferenceService(deployment))];
  const shared =
    deployment.delivery.kind === 'download' ? [file(storageContainer(deployment, deployment.delivery))] : [];
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: own.map(({ path }) => path),
  };
  return [...own, ...shared, { path: 'kustomization.yaml', text: yamlDocument(kustomization) }];
}

function file(object: JsonObject & { readonly kind: string }): RenderedFile {
  return { path: `${object.kind.toLowerCase()}.yaml`, text: yamlDocument(object) };
}

/**
 * By what it scales is left to KServe, which refuses any measure that its mode of deployment does not know: the processor
 * with Deployments (`Standard`), requests that run with Knative.
 */
function inferenceService(deployment: Deployment) {
  const { scale } = deployment;
  const [minReplicas, maxReplicas] = scale.kind === 'fixed' ? [scale.replicas, scale.replicas] : [scale.min, scale.max];
  return {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: metadataOf(deployment),
    spec: {
      predictor: {
        minReplicas,
        maxReplicas,
        timeout: 60,
        ...predictor(deployment),
      },
    },
  };
}

function predictor(deployment: Deployment): JsonObject {
  const { delivery } = deployment;
  if (delivery.kind === 'baked') return { containers: [container(deployment)], volumes: VOLUMES };
  return {
    model: {
      modelFormat: { name: 'ingot' },
      protocolVersion: 'v2',
      runtime: deployment.name,
      storageUri: delivery.kind === 'image' ? `oci://${delivery.image}` : `ingot://${delivery.models}`,
      resources: resourcesOf(deployment),
    },
  };
}

const VOLUMES: readonly JsonObject[] = [
  { name: 'tmp', emptyDir: { sizeLimit: '1Gi' } },
  { name: 'cache', emptyDir: { sizeLimit: '20Gi' } },
];

function servingRuntime(deployment: Deployment) {
  return {
    apiVersion: 'serving.kserve.io/v1alpha1',
    kind: 'ServingRuntime',
    metadata: metadataOf(deployment),
    spec: {
      annotations: {
        ...annotationsOf(deployment),
        'prometheus.kserve.io/port': String(SERVE_PORT),
        'prometheus.kserve.io/path': '/metrics',
      },
      supportedModelFormats: [{ name: 'ingot', version: '1' }],
      protocolVersions: ['v2'],
      containers: [container(deployment)],
      volumes: VOLUMES,
    },
  };
}

/**
 * Kubernetes puts variables in where `$(NAME)` stands. In the container of a runtime, KServe's templates do where `{{`
 * stands; they are run over its JSON, in which a quote would be another one.
 */
function literal(value: string, { delivery }: Deployment): string {
  const kept = value.replaceAll('$(', '$$$$(');
  return delivery.kind === 'baked' ? kept : kept.replaceAll('{{', '{{`{{`}}');
}

/** One value a variable: what somebody has set counts. */
function variablesOf({ delivery, variables }: Deployment): Readonly<Record<string, string>> {
  const fromBrought = { INGOT_CACHE: CACHE_DIRECTORY, INGOT_CACHE_SIZE: '16GB', INGOT_MODELS: MODELS };
  return {
    HOME: '/tmp',
    ...(delivery.kind === 'baked' ? {} : fromBrought),
    INGOT_DRAIN: String(KSERVE_STOPPING.drainSeconds),
    INGOT_HOST: '0.0.0.0',
    INGOT_LINGER: String(KSERVE_STOPPING.lingerSeconds),
    INGOT_LOG: 'json',
    INGOT_PORT: String(SERVE_PORT),
    ...variables,
  };
}

/** The container that KServe asks; what Knative does not take (a `preStop`, a named port, rules for the pod) is not in it. */
function container(deployment: Deployment): JsonObject {
  return {
    name: 'kserve-container',
    image: deployment.image,
    env: Object.entries(variablesOf(deployment)).map(([name, value]) => ({ name, value: literal(value, deployment) })),
    ports: [{ containerPort: SERVE_PORT, protocol: 'TCP' }],
    readinessProbe: { httpGet: { path: '/v2/health/ready', port: SERVE_PORT }, timeoutSeconds: 5, periodSeconds: 5 },
    livenessProbe: {
      httpGet: { path: '/v2/health/live', port: SERVE_PORT },
      timeoutSeconds: 5,
      periodSeconds: 10,
      failureThreshold: 6,
    },
    resources: resourcesOf(deployment),
    securityContext: { ...CONTAINER_SECURITY, seccompProfile: { type: 'RuntimeDefault' } },
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'cache', mountPath: CACHE_DIRECTORY },
    ],
  };
}
