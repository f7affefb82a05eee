import type { JsonObject, JsonValue } from '../json.ts';
import type { Deployment, RenderedFile } from './deployment.ts';
import { CONTAINER_USER, credentialsName, graceSeconds, REGISTRY_PORT } from './deployment.ts';
import { IMAGE_PLACES } from './image-places.ts';
import { annotationsOf } from './kubernetes-labels.ts';
import { quantityValue } from './quantity.ts';
import { CACHE_DIRECTORY, serverSettings } from './server-settings.ts';
import { yamlDocument } from './yaml-document.ts';

/** What is rendered besides the model server. */
export interface ComposeOptions {
  /** Also runs a registry server on a volume of its own, which the model server asks. Default: no. */
  readonly withRegistry?: boolean;
}

/**
 * Renders a deployment for compose: one machine, so one model server, reachable from that machine. Secrets come from a
 * file beside it, `<name>.env`, which only its owner reads.
 */
export function renderCompose(deployment: Deployment, options: ComposeOptions = {}): readonly RenderedFile[] {
  const { name } = deployment;
  const withRegistry = options.withRegistry === true;
  const document = {
    name,
    services: {
      serve: serveService(deployment, withRegistry),
      ...(withRegistry && { registry: registryService(deployment) }),
    },
    volumes: { cache: {}, ...(withRegistry && { registry: {} }) },
  };
  return [{ path: 'compose.yaml', text: yamlDocument(literal(document)) }];
}

/** What any container of these may do: nothing but write to its volumes and `/tmp`. */
const CONFINED: JsonObject = {
  user: `${CONTAINER_USER}:${CONTAINER_USER}`,
  read_only: true,
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
  restart: 'unless-stopped',
  init: true,
};

function serveService(deployment: Deployment, withRegistry: boolean): JsonObject {
  const { delivery } = deployment;
  const settings = serverSettings(deployment);
  const downloads = delivery.kind === 'download';
  return {
    image: deployment.image,
    ...CONFINED,
    environment: {
      HOME: '/tmp',
      ...settings,
      ...(downloads && withRegistry && { INGOT_ALLOW_HTTP: '1', INGOT_REGISTRY: `http://registry:${REGISTRY_PORT}` }),
    },
    ...(downloads && { env_file: [{ path: `${credentialsName(deployment)}.env`, required: false }] }),
    ports: [`127.0.0.1:${settings.INGOT_PORT}:${settings.INGOT_PORT}`],
    tmpfs: [`/tmp:size=1g,mode=1777`],
    ...volumesOf(deployment),
    stop_grace_period: `${graceSeconds(deployment)}s`,
    deploy: { resources: limitsOf(deployment) },
    labels: annotationsOf(deployment),
    ...(withRegistry && { depends_on: { registry: { condition: 'service_healthy' } } }),
  };
}

function volumesOf({ delivery }: Deployment): JsonObject {
  const model: JsonValue[] =
    delivery.kind === 'image'
      ? [{ type: 'image', source: delivery.image, target: '/models', image: { subpath: 'models' } }]
      : [];
  return { volumes: [{ type: 'volume', source: 'cache', target: CACHE_DIRECTORY }, ...model] };
}

const STATE_DIRECTORY = `/${IMAGE_PLACES.state}`;

/** A registry server over a volume, with its database in files: one machine needs no more. */
function registryService({ image }: Deployment): JsonObject {
  return {
    image,
    ...CONFINED,
    entrypoint: ['ingot', 'up'],
    environment: {
      HOME: '/tmp',
      INGOT_ALLOWED_HOSTS: 'registry',
      INGOT_HOST: '0.0.0.0',
      INGOT_LOG: 'json',
      INGOT_PORT: String(REGISTRY_PORT),
      INGOT_REGISTRY: `${STATE_DIRECTORY}/store`,
      INGOT_STATE: `${STATE_DIRECTORY}/state`,
    },
    ports: [`127.0.0.1:${REGISTRY_PORT}:${REGISTRY_PORT}`],
    tmpfs: ['/tmp:size=1g,mode=1777'],
    // Images of Ingot have this directory for everybody, and so has a volume that begins as a copy of it.
    volumes: [{ type: 'volume', source: 'registry', target: STATE_DIRECTORY }],
    stop_grace_period: '30s',
    healthcheck: {
      test: ['CMD', 'healthy', '/healthz'],
      interval: '10s',
      timeout: '5s',
      start_period: '30s',
      retries: 3,
    },
  };
}

function limitsOf({ cpu, memory }: Deployment): JsonObject {
  const decimals = (text: string): string => String(Number(quantityValue(text).toFixed(3)));
  const bytes = (text: string): string => String(Math.round(quantityValue(text)));
  return {
    reservations: { cpus: decimals(cpu.request), memory: bytes(memory.request) },
    limits: {
      ...(cpu.limit !== undefined && { cpus: decimals(cpu.limit) }),
      ...(memory.limit !== undefined && { memory: bytes(memory.limit) }),
    },
  };
}

/** Compose puts variables in where a `$` stands: in texts from outside it stands twice. */
function literal<Value extends JsonValue>(value: Value): Value;
function literal(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map((item: JsonValue) => literal(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, literal(item)]));
}
