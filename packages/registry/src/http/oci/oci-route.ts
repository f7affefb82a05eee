import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity, Permission } from '../../access/identity.ts';
import { ociError } from '../../oci/oci-error.ts';
import { parseRepository, type RepositoryName, repositoryTarget } from '../../oci/repository.ts';
import type { Services } from '../../services.ts';
import { checkGranted } from './oci-challenge.ts';

/** Methods that the API takes. */
export type OciMethod = 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

const METHODS: readonly OciMethod[] = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'];

/** A request to a repository, whose caller may do what the route needs. */
export interface OciCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly repository: RepositoryName;
  readonly identity: Identity;
  /** What stands for a `:name` of the route, decoded. */
  part(name: string): string;
  /** All that the query says under a name, in order. */
  readonly query: URLSearchParams;
}

/** What is behind a repository's name. */
export interface OciRoute {
  readonly methods: readonly OciMethod[];
  /** `blobs/:digest`; a slash at the end of an address does not count. */
  readonly at: string;
  /** What the caller must be allowed on the repository before anything is looked at. */
  readonly needs: Permission;
  /** Answers; the body has not been read. What it throws is answered as the API does. */
  answer(call: OciCall): Promise<FastifyReply>;
}

/** Makes routes over what the server has. */
export type OciRoutes = (services: Services) => readonly OciRoute[];

/** Registers routes: all below one address, for a name may have any number of parts. */
export function addOciRoutes(scope: FastifyInstance, services: Services, routes: readonly OciRoute[]): void {
  // What has more fixed parts is meant: `blobs/uploads` is no digest.
  const ordered = [...routes].sort((a, b) => fixedParts(b.at) - fixedParts(a.at));
  scope.route({
    method: [...METHODS],
    url: '/*',
    exposeHeadRoute: false,
    config: { access: { handler: 'checks' } },
    handler: async (request, reply) => {
      const { route, repository, parts } = matched(ordered, request, reply);
      const target = repositoryTarget(repository);
      checkGranted(services.authorizer, request.identity, route.needs, target);
      return await route.answer({
        request,
        reply,
        repository,
        identity: request.identity,
        part: (name) => parts.get(name) ?? '',
        query: new URLSearchParams(request.raw.url?.split('?').slice(1).join('?')),
      });
    },
  });
}

function fixedParts(at: string): number {
  return at.split('/').filter((part) => !part.startsWith(':')).length;
}

interface Matched {
  readonly route: OciRoute;
  readonly repository: RepositoryName;
  readonly parts: ReadonlyMap<string, string>;
}

function matched(routes: readonly OciRoute[], request: FastifyRequest, reply: FastifyReply): Matched {
  const path = pathOf(request);
  const allowed = new Set<string>();
  for (const route of routes) {
    const parts = partsOf(route.at, path);
    if (parts === undefined) continue;
    for (const method of route.methods) allowed.add(method);
    if (!route.methods.some((method) => method === request.method)) continue;
    const name = path.slice(0, -route.at.split('/').length).join('/');
    return { route, repository: parseRepository(name), parts };
  }
  if (allowed.size === 0)
    throw ociError('UNSUPPORTED', `there is nothing at ${path.join('/').slice(0, 200)}`, { status: 404 });
  reply.header('allow', [...allowed].sort().join(', '));
  throw ociError('UNSUPPORTED', `this address does not take ${request.method}`);
}

/** The parts of an address behind `/v2/`, decoded one by one. */
function pathOf({ raw }: FastifyRequest): readonly string[] {
  const [path = ''] = raw.url?.split('?') ?? [];
  const behind = path.slice(path.indexOf('/v2/') + '/v2/'.length).replace(/\/$/, '');
  return behind.split('/').map(decoded);
}

function decoded(part: string): string {
  try {
    const text = decodeURIComponent(part);
    // Whoever stands before the server takes it for one part.
    if (!text.includes('/')) return text;
  } catch (cause) {
    throw ociError('NAME_INVALID', `"${part.slice(0, 100)}" is not percent-encoded UTF-8`, { cause });
  }
  throw ociError('NAME_INVALID', `"${part.slice(0, 100)}" holds an encoded slash`);
}

/** Matches the end of a path; at least one part before it is the name. */
function partsOf(at: string, path: readonly string[]): ReadonlyMap<string, string> | undefined {
  const wanted = at.split('/');
  const found = path.slice(-wanted.length);
  if (path.length <= wanted.length) return undefined;
  const parts = new Map<string, string>();
  for (const [n, part] of wanted.entries()) {
    const given = found[n] ?? '';
    if (part.startsWith(':')) parts.set(part.slice(1), given);
    else if (part !== given) return undefined;
  }
  return parts;
}
