/**
 * A *deployment* is one or several model servers that answer for one model, described without saying for which engine.
 * A *target* (`kubernetes`, `kserve`, `compose`, `systemd`) renders it to files; nothing is asked of anybody and nothing
 * is written here. The same deployment gives the same bytes.
 */

import type { Digest } from '../digest.ts';

/** Where the servers get their model from. */
export type ModelDelivery =
  /** They download it and follow its source; changing `models` is the deployment. */
  | { readonly kind: 'download'; readonly models: string; readonly registry: string }
  /** It lies in the image of the servers, which says itself what it serves. */
  | { readonly kind: 'baked' }
  /** It lies in an image of its own, in `/models` or below. */
  | { readonly kind: 'image'; readonly image: string };

/** What is asked for: a request, and a limit where there is one. Kubernetes quantities: `500m`, `2Gi`. */
export interface Quantity {
  readonly request: string;
  readonly limit?: string;
}

/** How many servers there are: always as many, or as many as the load needs. */
export type Scale =
  | { readonly kind: 'fixed'; readonly replicas: number }
  | { readonly kind: 'automatic'; readonly min: number; readonly max: number };

/** What is deployed. */
export interface Deployment {
  /** A DNS label of 40 characters at most: see `dnsLabel`. */
  readonly name: string;
  readonly namespace?: string;
  /** The model's own name: `team/churn`. */
  readonly model: string;
  /** As it was asked for: `team/churn@production`. */
  readonly source: string;
  /** Set where the source names one version for ever. */
  readonly version?: string;
  /** Digest of that version's manifest. */
  readonly digest?: Digest;
  readonly delivery: ModelDelivery;
  /** Image of the model server; for systemd it is the program instead. */
  readonly image: string;
  readonly scale: Scale;
  readonly cpu: Quantity;
  readonly memory: Quantity;
  /**
   * Variables that the servers get besides; none is a secret. `INGOT_DRAIN` and `INGOT_LINGER` (seconds) and, on one
   * machine, `INGOT_PORT` change what is rendered around them. Default: none.
   */
  readonly variables?: Readonly<Record<string, string>>;
  /** Kinds that are left out. */
  readonly without: ReadonlySet<Leftout>;
}

/** What a cluster may lack or have another way of doing. */
export const LEFTOUTS = ['networkpolicy', 'servicemonitor', 'poddisruptionbudget'] as const;

/** A member of {@link LEFTOUTS}. */
export type Leftout = (typeof LEFTOUTS)[number];

/** One file that was rendered. */
export interface RenderedFile {
  /** Relative, POSIX: `deployment.yaml`. */
  readonly path: string;
  readonly text: string;
}

/** The port that model servers listen on. */
export const SERVE_PORT = 8080;

/** The port that registry servers listen on. */
export const REGISTRY_PORT = 8585;

/** The user and group that containers run as; that of the images that `ingot bake` makes. */
export const CONTAINER_USER = 65532;

/**
 * How a model server stops without losing a request. It goes on answering for `lingerSeconds` after it was told to stop,
 * and says on each answer that the connection ends; then requests that run have `drainSeconds`. `noticeSeconds` is what
 * a cluster needs to send no more to it, and passes before it is told at all.
 */
export const STOPPING = { noticeSeconds: 5, lingerSeconds: 2, drainSeconds: 60, workersSeconds: 8 } as const;

/** How long a server may take to stop in all, in seconds: as {@link STOPPING} says, or as its variables do. */
export function graceSeconds({ variables = {} }: Pick<Deployment, 'variables'>): number {
  const { noticeSeconds, lingerSeconds, drainSeconds, workersSeconds } = STOPPING;
  const { INGOT_LINGER = lingerSeconds, INGOT_DRAIN = drainSeconds } = variables;
  return noticeSeconds + wholeSeconds(INGOT_LINGER) + wholeSeconds(INGOT_DRAIN) + workersSeconds;
}

/** `90`, `90s` or `0.5` as settings have it. */
function wholeSeconds(setting: string | number): number {
  return Math.ceil(Number(String(setting).replace(/s$/, '')));
}

/** Name of the secret, or of the file of variables, that holds what lets the servers in. */
export function credentialsName({ name }: Pick<Deployment, 'name'>): string {
  return `${name}-credentials`;
}
