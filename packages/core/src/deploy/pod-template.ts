import type { JsonObject, JsonValue } from '../json.ts';
import type { Deployment, Quantity } from './deployment.ts';
import { CONTAINER_USER, credentialsName, graceSeconds, SERVE_PORT, STOPPING } from './deployment.ts';
import { annotationsOf, labelsOf, selectorOf } from './kubernetes-labels.ts';
import { CACHE_DIRECTORY } from './server-settings.ts';

/** The longest that a model may take to be downloaded, unpacked and warmed before a rollout counts as failed. */
export const LONGEST_START_SECONDS = 1800;

/** The pods of a deployment: one container that may write nowhere but to its cache and `/tmp`, as nobody special. */
export function podTemplate(deployment: Deployment, settingsName: string): JsonObject {
  return {
    metadata: {
      labels: labelsOf(deployment),
      annotations: {
        ...annotationsOf(deployment),
        'kubectl.kubernetes.io/default-container': 'serve',
      },
    },
    spec: {
      serviceAccountName: deployment.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: graceSeconds(deployment),
      securityContext: POD_SECURITY,
      topologySpreadConstraints: [
        spread(deployment, 'topology.kubernetes.io/zone'),
        spread(deployment, 'kubernetes.io/hostname'),
      ],
      containers: [container(deployment, settingsName)],
      volumes: volumes(deployment),
    },
  };
}

/** What the pod security standard `restricted` asks of a pod. */
export const POD_SECURITY: JsonObject = {
  runAsNonRoot: true,
  runAsUser: CONTAINER_USER,
  runAsGroup: CONTAINER_USER,
  fsGroup: CONTAINER_USER,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};

/** What it asks of a container, and a root that cannot be written to. */
export const CONTAINER_SECURITY: JsonObject = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
};

/** Requests and limits as a container has them. */
export function resourcesOf({ cpu, memory }: { readonly cpu: Quantity; readonly memory: Quantity }): JsonObject {
  return {
    requests: { cpu: cpu.request, memory: memory.request },
    limits: {
      ...(cpu.limit !== undefined && { cpu: cpu.limit }),
      ...(memory.limit !== undefined && { memory: memory.limit }),
    },
  };
}

/** How a cluster sees that a model server lives and may be asked: its own endpoints, which answer while models load. */
export const PROBES: JsonObject = {
  startupProbe: probe('/v2/health/live', { periodSeconds: 2, failureThreshold: 60 }),
  readinessProbe: probe('/v2/health/ready', { periodSeconds: 5, failureThreshold: 2 }),
  livenessProbe: probe('/v2/health/live', { periodSeconds: 10, failureThreshold: 6 }),
};

function probe(path: string, timing: Readonly<Record<string, number>>): JsonObject {
  return { httpGet: { path, port: 'http' }, timeoutSeconds: 5, ...timing };
}

/** The secret is a directory, too: keys of some clouds, and of SFTP, are files that a variable names. */
export const CREDENTIALS_DIRECTORY = '/etc/ingot/credentials';

function container(deployment: Deployment, settingsName: string): JsonObject {
  const { image, delivery } = deployment;
  const isPinned = image.includes('@');
  return {
    name: 'serve',
    image,
    imagePullPolicy: isPinned ? 'IfNotPresent' : 'Always',
    envFrom: [
      { configMapRef: { name: settingsName } },
      // Optional, as a cluster may let its pods in by who they are.
      ...(delivery.kind === 'download' ? [{ secretRef: { name: credentialsName(deployment), optional: true } }] : []),
    ],
    env: [{ name: 'HOME', value: '/tmp' }],
    ports: [{ name: 'http', containerPort: SERVE_PORT, protocol: 'TCP' }],
    ...PROBES,
    // The cluster needs some seconds to send no more to a pod that goes.
    lifecycle: { preStop: { sleep: { seconds: STOPPING.noticeSeconds } } },
    resources: resourcesOf(deployment),
    securityContext: CONTAINER_SECURITY,
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'cache', mountPath: CACHE_DIRECTORY },
      ...(delivery.kind === 'download'
        ? [{ name: 'credentials', mountPath: CREDENTIALS_DIRECTORY, readOnly: true }]
        : []),
      ...(delivery.kind === 'image'
        ? [{ name: 'model', mountPath: '/models', subPath: 'models', readOnly: true }]
        : []),
    ],
  };
}

function volumes(deployment: Deployment): JsonValue[] {
  const { delivery } = deployment;
  const secret = { secretName: credentialsName(deployment), optional: true, defaultMode: 0o440 };
  return [
    { name: 'tmp', emptyDir: { sizeLimit: '1Gi' } },
    { name: 'cache', emptyDir: { sizeLimit: '20Gi' } },
    ...(delivery.kind === 'download' ? [{ name: 'credentials', secret }] : []),
    ...(delivery.kind === 'image'
      ? [{ name: 'model', image: { reference: delivery.image, pullPolicy: 'IfNotPresent' } }]
      : []),
  ];
}

function spread(deployment: Deployment, topologyKey: string): JsonObject {
  return {
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selectorOf(deployment) },
    // Old and new pods of a rollout are spread each for themselves.
    matchLabelKeys: ['pod-template-hash'],
  };
}
