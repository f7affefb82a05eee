import { isLoopback } from '../blob/http/address.ts';
import { IngotError } from '../errors.ts';
import { isOciDigest } from './digest.ts';
import type { OciDigest } from './oci-place.ts';

/** A repository of a registry, and what of it is meant. */
export interface RegistryAddress {
  /** Host and port as people write them: `registry.example.com:5000`, `docker.io`. */
  readonly host: string;
  /** The repository: `team/churn`. */
  readonly name: string;
  readonly tag?: string;
  readonly digest?: OciDigest;
}

// Source: distribution-spec, "Pulling manifests".
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::\d{1,5})?$/i;
const MAX_NAME = 255;

/** The host that is called `docker.io`. */
const DOCKER_HUB = 'docker.io';

/**
 * Takes `HOST/NAME[:TAG][@DIGEST]` apart. Names of Docker's own hub may stand without their host where that is said.
 * @param options `hub`: what has no host is of `docker.io`, as `debian:bookworm`. Default: it is refused.
 * @throws IngotError `usage` naming the part that is malformed.
 * @example
 * parseRegistryAddress('registry.example.com/team/churn:7'); // { host: 'registry.example.com', name: 'team/churn', tag: '7' }
 */
export function parseRegistryAddress(text: string, options: { readonly hub?: boolean } = {}): RegistryAddress {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const hasTag = colon >= 0 && named.includes('/', 1) ? true : colon >= 0 && options.hub === true;
  const path = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (digest !== undefined && !isOciDigest(digest)) throw malformed(text, `"${digest.slice(0, 80)}" is not a digest`);
  if (tag !== undefined && !TAG.test(tag)) throw malformed(text, `"${tag.slice(0, 80)}" is not a tag`);
  const { host, name } = hostAndName(text, path, options.hub === true);
  if (!HOST.test(host)) throw malformed(text, `"${host.slice(0, 80)}" is not a host`);
  if (!NAME.test(name) || name.length > MAX_NAME)
    throw malformed(text, `"${name.slice(0, 80)}" is not a name of small letters, digits, "." "_" "-" and "/"`, name);
  return {
    host: host === 'index.docker.io' ? DOCKER_HUB : host.toLowerCase(),
    name,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined || !isOciDigest(digest) ? {} : { digest }),
  };
}

/** Writes an address as {@link parseRegistryAddress} reads it. */
export function formatRegistryAddress({ host, name, tag, digest }: RegistryAddress): string {
  return `${host}/${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The tag or digest that is meant: the digest where both are said, `latest` where neither is. */
export function referenceOf({ tag, digest }: Pick<RegistryAddress, 'tag' | 'digest'>): string {
  return digest ?? tag ?? 'latest';
}

/**
 * Where a registry is asked: https, but http for this machine, and for others only where that was allowed.
 * @param insecure speak http with any host. Default: false.
 */
export function originOf(host: string, insecure = false): string {
  const asked = host === DOCKER_HUB ? 'registry-1.docker.io' : host;
  const bare = asked.replace(/:\d+$/, '');
  return `${insecure || isLoopback(bare) ? 'http' : 'https'}://${asked}`;
}

function hostAndName(text: string, path: string, hub: boolean): { readonly host: string; readonly name: string } {
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (slash > 0 && (isHost || !hub)) {
    const name = path.slice(slash + 1);
    const isOfficial = (first === DOCKER_HUB || first === 'index.docker.io') && !name.includes('/');
    return { host: first, name: isOfficial ? `library/${name}` : name };
  }
  if (hub && path !== '') return { host: DOCKER_HUB, name: slash < 0 ? `library/${path}` : path };
  throw malformed(text, 'a host and a name belong there');
}

function malformed(text: string, why: string, name?: string): IngotError {
  const small =
    name !== undefined && NAME.test(name.toLowerCase()) ? text.replace(name, name.toLowerCase()) : undefined;
  return new IngotError('usage', `"${text.slice(0, 120)}" is not an address in a registry: ${why}`, {
    operation: 'oci.open',
    hint: 'registry.example.com/team/churn:7',
    ...(small === undefined ? {} : { nearest: small }),
  });
}
