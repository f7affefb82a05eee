import { schemeOf } from '../blob/address.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import type { Deployment } from './deployment.ts';
import { SERVE_PORT } from './deployment.ts';
import { metadataOf, selectorOf } from './kubernetes-labels.ts';

/** The label of a namespace whose pods may ask the servers. */
export const CLIENTS_LABEL = 'ingot.dev/clients';

/**
 * Who may reach the servers, and whom they may reach. Pods of the same namespace and of namespaces with the label
 * `ingot.dev/clients=true` may ask; servers that have their model in the image reach nobody.
 */
export function networkPolicy(deployment: Deployment): JsonObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(deployment),
    spec: {
      podSelector: { matchLabels: selectorOf(deployment) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: {} }, { namespaceSelector: { matchLabels: { [CLIENTS_LABEL]: 'true' } } }],
          ports: [{ protocol: 'TCP', port: SERVE_PORT }],
        },
      ],
      egress: deployment.delivery.kind === 'download' ? egressTo(deployment.delivery.registry) : [],
    },
  };
}

/** Names, TLS for packages and storages, the port of the registry, and where a cloud says who a pod is. */
function egressTo(registry: string): JsonValue[] {
  const ports = [...new Set([443, ...portsOf(registry)])].sort((one, other) => one - other);
  return [
    {
      ports: [
        { protocol: 'UDP', port: 53 },
        { protocol: 'TCP', port: 53 },
      ],
    },
    { ports: ports.map((port) => ({ protocol: 'TCP', port })) },
    ...(IDENTITIES[schemeOf(registry) ?? ''] ?? []),
  ];
}

/** Addresses of the clouds that tell a pod who it is, on the node itself. */
const IDENTITIES: Readonly<Record<string, readonly JsonObject[]>> = {
  s3: [identityAt('169.254.170.23/32')],
  gs: [identityAt('169.254.169.254/32')],
};

function identityAt(cidr: string): JsonObject {
  return { to: [{ ipBlock: { cidr } }], ports: [{ protocol: 'TCP', port: 80 }] };
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, webdav: 80, https: 443, webdavs: 443, sftp: 22 };

function portsOf(registry: string): number[] {
  const scheme = schemeOf(registry) ?? '';
  const endpoint = /[?&]endpoint=([^&#]*)/.exec(registry)?.[1];
  if (endpoint !== undefined) return portsOf(decodeURIComponent(endpoint));
  const written = /^[^:]+:\/\/(?:[^/?#]*@)?(?:\[[^\]]*\]|[^/?#:]*):(\d{1,5})/.exec(registry)?.[1];
  const port = written === undefined ? DEFAULT_PORTS[scheme] : Number(written);
  return port === undefined ? [] : [port];
}
