import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Authorizer, Identity, Permission, Target } from '../../access/identity.ts';
import { ociError } from '../../oci/oci-error.ts';

/** What a client must ask a token for, by request. */
const scopes = new WeakMap<FastifyRequest, string>();

const ACTIONS: Readonly<Record<Permission, string>> = {
  read: 'pull',
  push: 'pull,push',
  promote: 'pull,push',
  admin: 'pull,push,delete',
};

/** Remembers what a request needs, for the challenge that it is answered with when nobody has proved who asks. */
export function noteScope(request: FastifyRequest, repository: string, permission: Permission): void {
  const actions = request.method === 'DELETE' ? 'delete' : ACTIONS[permission];
  scopes.set(request, `repository:${repository}:${actions}`);
}

/**
 * Lets through who may. Whoever has a token for less than they may do is told to ask for another.
 * @throws IngotError as the authorizer does; UNAUTHORIZED.
 */
export function checkGranted(authorizer: Authorizer, identity: Identity, permission: Permission, target: Target): void {
  const { limit, ...whole } = identity;
  authorizer.check(whole, permission, target);
  if (limit === undefined || limit(permission, target)) return;
  throw ociError('UNAUTHORIZED', 'the token was given for something else', { detail: { error: 'insufficient_scope' } });
}

/** Says where and for what a token is to be asked: the way in which clients sign in (RFC 6750, section 3). */
export function challenge(request: FastifyRequest, reply: FastifyReply, detail: unknown): void {
  const scope = scopes.get(request);
  const hasToken = request.headers.authorization?.toLowerCase().startsWith('bearer ') === true;
  const error = Object(detail).error === 'insufficient_scope' ? 'insufficient_scope' : 'invalid_token';
  const fields = [
    `realm="${request.protocol}://${request.host}/v2/token"`,
    `service="${request.host}"`,
    ...(scope === undefined ? [] : [`scope="${scope}"`]),
    ...(hasToken ? [`error="${error}"`] : []),
  ];
  reply.header('www-authenticate', `Bearer ${fields.join(',')}`);
}
