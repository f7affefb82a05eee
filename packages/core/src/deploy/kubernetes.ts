import { createHash } from 'node:crypto';
import type { JsonObject } from '../json.ts';
import { canonicalJson } from '../json.ts';
import type { Deployment, RenderedFile } from './deployment.ts';
import { annotationsOf, metadataOf, selectorOf } from './kubernetes-labels.ts';
import { networkPolicy } from './network-policy.ts';
import { LONGEST_START_SECONDS, podTemplate } from './pod-template.ts';
import { serverSettings } from './server-settings.ts';
import { yamlDocument } from './yaml-document.ts';

/**
 * Renders a deployment for Kubernetes: a file for each object and a `kustomization.yaml` that names them, so that the
 * directory is the base of overlays, too. Settings lie in a ConfigMap named by what it holds: with the settings the pods
 * change, and `kubectl rollout undo` finds those that were before.
 */
export function renderKubernetes(deployment: Deployment): readonly RenderedFile[] {
  const objects = objectsOf(deployment);
  const files = objects.map((object) => ({ path: fileOf(object), text: yamlDocument(object) }));
  return [...files, { path: 'kustomization.yaml', text: yamlDocument(kustomization(files)) }];
}

/** The objects of a deployment, in the order in which a cluster wants them. */
export function objectsOf(deployment: Deployment): readonly (JsonObject & { readonly kind: string })[] {
  const { without, scale } = deployment;
  const settings = settingsMap(deployment);
  return [
    serviceAccount(deployment),
    settings.object,
    ...(without.has('networkpolicy') ? [] : [{ ...networkPolicy(deployment), kind: 'NetworkPolicy' }]),
    service(deployment),
    workload(deployment, settings.name),
    ...(without.has('poddisruptionbudget') ? [] : [disruptionBudget(deployment)]),
    ...(scale.kind === 'automatic' ? [autoscaler(deployment, scale)] : []),
    ...(without.has('servicemonitor') ? [] : [serviceMonitor(deployment)]),
  ];
}

function fileOf({ kind }: { readonly kind: string }): string {
  return `${kind.toLowerCase()}.yaml`;
}

function kustomization(files: readonly RenderedFile[]): JsonObject {
  return {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: files.map(({ path }) => path),
  };
}

function serviceAccount(deployment: Deployment) {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadataOf(deployment),
    automountServiceAccountToken: false,
  };
}

function settingsMap(deployment: Deployment) {
  const data = serverSettings(deployment);
  const hash = createHash('sha256').update(canonicalJson(data)).digest('hex').slice(0, 10);
  const name = `${deployment.name}-settings-${hash}`;
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadataOf(deployment, { name }),
    immutable: true,
    data,
  };
  return { name, object };
}

function service(deployment: Deployment) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(deployment),
    spec: {
      type: 'ClusterIP',
      selector: selectorOf(deployment),
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP', appProtocol: 'http' }],
    },
  };
}

function workload(deployment: Deployment, settingsName: string) {
  const { scale } = deployment;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadataOf(deployment), annotations: annotationsOf(deployment) },
    spec: {
      // Where an autoscaler counts, a number here would undo what it has decided at each apply.
      ...(scale.kind === 'fixed' && { replicas: scale.replicas }),
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: LONGEST_START_SECONDS,
      selector: { matchLabels: selectorOf(deployment) },
      // A new pod answers before an old one goes.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: podTemplate(deployment, settingsName),
    },
  };
}

function disruptionBudget(deployment: Deployment) {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(deployment),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorOf(deployment) },
    },
  };
}

/** A pod more is a model more to load: up at once, down only after five quiet minutes and one by one. */
function autoscaler(deployment: Deployment, { min, max }: { readonly min: number; readonly max: number }) {
  const averageUtilization = 70;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadataOf(deployment),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment.name },
      minReplicas: min,
      maxReplicas: max,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } }],
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0 },
        scaleDown: {
          stabilizationWindowSeconds: 300,
          policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
        },
      },
    },
  };
}

function serviceMonitor(deployment: Deployment) {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: metadataOf(deployment),
    spec: {
      selector: { matchLabels: selectorOf(deployment) },
      endpoints: [{ port: 'http', path: '/metrics', interval: '30s' }],
    },
  };
}
