import { schemeOf } from '../blob/address.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import type { Deployment } from './deployment.ts';
import { REGISTRY_PORT, SERVE_PORT } from './deployment.ts';
import { metadataOf, selectorOf } from './kubernetes-labels.ts';

/** The label of a namespace whose pods may ask the servers. */
export const CLIENTS_LABEL = 'ingot.dev/clients';

/**
 * Who may reach the servers, and whom they may reach. Pods of the same namespace and of namespaces with the label
 * `ingot.dev/clients=true` may ask; servers that have their model in the image reach nobody.
 */
export function networkPolicy(deployment: Deployment): JsonObject {
  // An empty list is left out, as clusters do, who would show it as a difference for ever: nobody may be reached.
  const egress = egressOf(deployment);
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
      ...(egress.length > 0 && { egress }),
    },
  };
}

/** Names, TLS for packages and storages, the ports of all addresses, and where a cloud says who a pod is. */
function egressOf({ delivery, variables = {} }: Deployment): JsonValue[] {
  if (delivery.kind !== 'download') return [];
  const storages = [delivery.registry, delivery.models];
  const addresses = [...storages, ...Object.values(variables)];
  const ports = [...new Set([443, ...addresses.flatMap(portsOf)])].sort((one, other) => one - other);
  const schemes = new Set(storages.map((address) => schemeOf(address) ?? ''));
  return [
    {
      ports: [
        { protocol: 'UDP', port: 53 },
        { protocol: 'TCP', port: 53 },
      ],
    },
    { ports: ports.map((port) => ({ protocol: 'TCP', port })) },
    ...(schemes.has('http') || schemes.has('https') ? [TO_REGISTRY_PODS] : []),
    ...[...schemes].flatMap((scheme) => IDENTITIES[scheme] ?? []),
  ];
}

/** The registry servers of this cluster: a policy sees the port of their pods, not that of the service before them. */
const TO_REGISTRY_PODS: JsonObject = {
  to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'ingot-registry' } } }],
  ports: [{ protocol: 'TCP', port: REGISTRY_PORT }],
};

/** Addresses of the clouds that tell a pod who it is, on the node itself. GKE has two, by what carries its network. */
const IDENTITIES: Readonly<Record<string, readonly JsonObject[]>> = {
  s3: [identityAt('169.254.170.23/32', 80)],
  gs: [identityAt('169.254.169.254/32', 80), identityAt('169.254.169.252/32', 988)],
};

function identityAt(cidr: string, port: number): JsonObject {
  return { to: [{ ipBlock: { cidr } }], ports: [{ protocol: 'TCP', port }] };
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, webdav: 80, https: 443, webdavs: 443, sftp: 22 };

/** The port of an address; none where its scheme says none, or where the text is no address. */
function portsOf(address: string): number[] {
  const [, scheme = '', written] = ADDRESS.exec(address) ?? [];
  const endpoint = /[?&]endpoint=([^&#]*)/.exec(address)?.[1];
  if (endpoint !== undefined) return portsOf(unescaped(endpoint));
  const port = written === undefined ? DEFAULT_PORTS[scheme.toLowerCase()] : Number(written);
  return port === undefined || port < 1 || port > 65_535 ? [] : [port];
}

const ADDRESS = /^([a-z][a-z0-9+.-]+):\/\/(?:[^/?#]*@)?(?:\[[^\]]*\]|[^/?#:]*)(?::(\d{1,5}))?/i;

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not percent-encoded: as it stands.
  }
}
