import { IngotError, isIngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import type { Authorizer, Identity } from '../../access/identity.ts';
import { REPOSITORY_ACTIONS, type RepositoryAction, type RepositoryScope } from '../../access/repository-tokens.ts';
import type { Audit } from '../../audit/audit.ts';
import { DEFAULT_PACE, inPace } from '../../contents/body-pace.ts';
import { ociError } from '../../oci/oci-error.ts';
import { repositoryOf, repositoryTarget } from '../../oci/repository.ts';
import { originOf } from '../gate.ts';
import { sendJson } from './list-routes.ts';
import type { OciPlainRoutes } from './oci-api.ts';

/** What is asked about who comes. */
export interface TokenRoutesOptions {
  readonly access: Pick<Access, 'identify' | 'repositoryTokens'>;
  readonly audit: Pick<Audit, 'accessLog'>;
}

const MAX_FORM_BYTES = 64 * 1024;
const MAX_SCOPES = 50;

/**
 * `GET` and `POST /v2/token`: gives clients of container registries a token for some repositories, for an account and its
 * password, or any name and a service token. Source: the token specifications of the reference registry, basic and OAuth 2.
 */
export function tokenRoutes({ access, audit }: TokenRoutesOptions): OciPlainRoutes {
  return (scope, { authorizer, now }) => {
    const give = async (reply: FastifyReply, identity: Identity, asked: readonly string[]): Promise<FastifyReply> => {
      // Else whoever has a token for one repository would have one for all.
      if (identity.limit !== undefined)
        throw ociError('UNAUTHORIZED', 'a token is given for credentials, not for a token');
      const granted = grantedOf(asked, identity, authorizer);
      const { token, seconds } = await access.repositoryTokens.make(identity, granted);
      reply.header('cache-control', 'no-store');
      const issued_at = now().toISOString();
      return sendJson(reply, 'application/json', {
        token,
        access_token: token,
        token_type: 'Bearer',
        expires_in: seconds,
        issued_at,
        scope: textOf(granted),
      });
    };
    scope.get('/token', { config: { access: 'signed-in' } }, async (request, reply) => {
      const query = new URLSearchParams(request.raw.url?.split('?').slice(1).join('?'));
      return await give(reply, request.identity, query.getAll('scope'));
    });
    postRoute(scope, async (request, reply) => {
      const form = await formOf(request);
      const identity = await identityOf(request, form, { access, audit });
      return await give(reply, identity, form.getAll('scope'));
    });
  };
}

function postRoute(
  scope: FastifyInstance,
  answer: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
): void {
  scope.post('/token', { config: { access: 'public' } }, answer);
}

/** Who asks by a form: with a name and a password, or with a service token as what they call a refresh token. */
async function identityOf(
  request: FastifyRequest,
  form: URLSearchParams,
  { access, audit }: TokenRoutesOptions,
): Promise<Identity> {
  const origin = originOf(request);
  try {
    return await access.identify({
      authorization: authorizationOf(form),
      cookie: undefined,
      csrf: undefined,
      actor: undefined,
      origin,
    });
  } catch (error) {
    if (isIngotError(error, 'unauthenticated'))
      audit.accessLog.record({ kind: 'denied', actor: 'anonymous', origin, details: { because: error.code } });
    throw error;
  }
}

function authorizationOf(form: URLSearchParams): string {
  const kind = form.get('grant_type');
  if (kind === 'refresh_token') return `Bearer ${form.get('refresh_token') ?? ''}`;
  if (kind !== 'password') throw ociError('UNSUPPORTED', 'grant_type is password or refresh_token', { status: 400 });
  const [name, password] = [form.get('username') ?? '', form.get('password') ?? ''];
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

async function formOf(request: FastifyRequest): Promise<URLSearchParams> {
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') !== true)
    throw new IngotError('unsupported-media-type', 'this address takes application/x-www-form-urlencoded');
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of inPace(request.raw, DEFAULT_PACE)) {
    bytes += piece.byteLength;
    if (bytes > MAX_FORM_BYTES) throw new IngotError('payload-too-large', 'the form is larger than 64 KiB');
    pieces.push(piece);
  }
  return new URLSearchParams(Buffer.concat(pieces).toString('utf8'));
}

/** Of what is asked for, what can be: actions on repositories that whoever asks may read or push to. */
function grantedOf(asked: readonly string[], identity: Identity, authorizer: Authorizer): RepositoryScope {
  const repositories = new Map<string, readonly RepositoryAction[]>();
  let catalog = false;
  const scopes = asked.flatMap((text) => text.split(' ')).filter((text) => text !== '');
  for (const text of scopes.slice(0, MAX_SCOPES)) {
    const [, kind, name = '', actions = ''] = /^(repository|registry)(?:\([^)]*\))?:(.+):([^:]*)$/.exec(text) ?? [];
    if (kind === 'registry' && name === 'catalog') catalog = true;
    const repository = kind === 'repository' ? repositoryOf(name) : undefined;
    if (repository === undefined) continue;
    const target = repositoryTarget(repository);
    if (!(['read', 'push'] as const).some((permission) => authorizer.may(identity, permission, target))) continue;
    // What they may do of it is asked again when they do it.
    const wanted = REPOSITORY_ACTIONS.filter((action) =>
      actions.split(',').some((each) => each === action || each === '*'),
    );
    repositories.set(repository, [...new Set([...(repositories.get(repository) ?? []), ...wanted])]);
  }
  return { repositories: Object.fromEntries(repositories), catalog };
}

function textOf({ repositories, catalog }: RepositoryScope): string {
  const texts = Object.entries(repositories).map(([name, actions]) => `repository:${name}:${actions.join(',')}`);
  return [...texts, ...(catalog ? ['registry:catalog:*'] : [])].join(' ');
}
