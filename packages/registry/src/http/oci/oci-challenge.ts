import type { IngotError } from '@ingot/core/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Authorizer, Identity, Permission, Target } from '../../access/identity.ts';
import { ociError } from '../../oci/oci-error.ts';
import { repositoryOf } from '../../oci/repository.ts';

/** Where tokens are asked for. */
export const TOKEN_ADDRESS = '/v2/token';

const BEHIND_NAME = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\/[^/]*/;
const UPLOADS = /\/blobs\/uploads(?:\/[^/]*)?$/;

/** What a client must ask a token for: actions on the repository that it addresses, and on the one it takes a blob from. */
function scopeOf({ method, raw }: FastifyRequest): string | undefined {
  const [path = '', query = ''] = raw.url?.split('?') ?? [];
  const name = UPLOADS.test(path) ? path.slice('/v2/'.length).replace(UPLOADS, '') : BEHIND_NAME.exec(path)?.[1];
  const repository = repositoryOf(name ?? '');
  if (repository === undefined) return undefined;
  const from = repositoryOf(new URLSearchParams(query).get('from') ?? '');
  // Who asks whether a blob is there is about to push it, and some clients keep the first token that they get.
  const isUpload = UPLOADS.test(path) || (method === 'HEAD' && path.includes('/blobs/'));
  const own = `repository:${repository}:${actionsOf(method, isUpload)}`;
  return from === undefined ? own : `${own} repository:${from}:pull`;
}

function actionsOf(method: string, isUpload: boolean): string {
  if (isUpload) return 'pull,push';
  if (method === 'DELETE') return 'pull,delete';
  return method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push';
}

/**
 * Lets through who may. Whoever has a token for less than they may do is told to ask for another.
 * @param asked what the token must be for. Default: the same; who deletes asks for that, whatever it needs here.
 * @throws IngotError as the authorizer does; UNAUTHORIZED.
 */
export function checkGranted(
  authorizer: Authorizer,
  identity: Identity,
  permission: Permission,
  target: Target,
  asked: Permission = permission,
): void {
  const { limit, ...whole } = identity;
  authorizer.check(whole, permission, target);
  if (limit !== undefined && !limit(asked, target)) throw tooNarrow();
}

/** Tells whoever may read something, and has a token for less, to ask for another. Throws UNAUTHORIZED. */
export function askForMore(authorizer: Authorizer, { limit, ...whole }: Identity, target: Target): void {
  if (limit !== undefined && !limit('read', target) && authorizer.may(whole, 'read', target)) throw tooNarrow();
}

function tooNarrow(): IngotError {
  const detail = { error: 'insufficient_scope' };
  return ociError('UNAUTHORIZED', 'the token was given for something else', { detail });
}

/** Says where and for what a token is to be asked: the way in which clients sign in (RFC 6750, section 3). */
export function challenge(request: FastifyRequest, reply: FastifyReply, detail: unknown): void {
  if (request.routeOptions.url === TOKEN_ADDRESS) {
    reply.header('www-authenticate', 'Basic realm="ingot"');
    return;
  }
  const scope = scopeOf(request);
  const hasToken = request.headers.authorization?.toLowerCase().startsWith('bearer ') === true;
  const error = Object(detail).error === 'insufficient_scope' ? 'insufficient_scope' : 'invalid_token';
  const fields = [
    `realm="${request.protocol}://${request.host}${TOKEN_ADDRESS}"`,
    `service="${request.host}"`,
    ...(scope === undefined ? [] : [`scope="${scope}"`]),
    ...(hasToken ? [`error="${error}"`] : []),
  ];
  reply.header('www-authenticate', `Bearer ${fields.join(',')}`);
}
