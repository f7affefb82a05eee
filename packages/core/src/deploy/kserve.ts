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
/** KServe leaves pods the 30 seconds of Kubernetes, of which a model server needs some besides. */
const DRAIN_SECONDS = 20;

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
        ...(scale.kind === 'automatic' && { scaleMetric: 'cpu', scaleTarget: 70 }),
        timeout: 60,
        securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
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

/** Kubernetes puts variables in where `$(NAME)` stands, and KServe's templates where `{{` does. */
function literal(value: string): string {
  return value.replaceAll('$(', '$$$$(').replaceAll('{{', '{{"{{"}}');
}

/** The container that KServe asks; what Knative does not take (a `preStop`, a named port) is not in it. */
function container(deployment: Deployment): JsonObject {
  const isBaked = deployment.delivery.kind === 'baked';
  return {
    name: 'kserve-container',
    image: deployment.image,
    env: [
      { name: 'HOME', value: '/tmp' },
      ...(isBaked
        ? []
        : [
            { name: 'INGOT_CACHE', value: CACHE_DIRECTORY },
            { name: 'INGOT_CACHE_SIZE', value: '16GB' },
            { name: 'INGOT_MODELS', value: MODELS },
          ]),
      { name: 'INGOT_DRAIN', value: String(DRAIN_SECONDS) },
      { name: 'INGOT_HOST', value: '0.0.0.0' },
      { name: 'INGOT_LOG', value: 'json' },
      { name: 'INGOT_PORT', value: String(SERVE_PORT) },
      ...Object.entries(deployment.variables ?? {}).map(([name, value]) => ({ name, value: literal(value) })),
    ],
    ports: [{ containerPort: SERVE_PORT, protocol: 'TCP' }],
    readinessProbe: { httpGet: { path: '/v2/health/ready', port: SERVE_PORT }, timeoutSeconds: 5, periodSeconds: 5 },
    livenessProbe: {
      httpGet: { path: '/v2/health/live', port: SERVE_PORT },
      timeoutSeconds: 5,
      periodSeconds: 10,
      failureThreshold: 6,
    },
    resources: resourcesOf(deployment),
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'cache', mountPath: CACHE_DIRECTORY },
    ],
  };
}
