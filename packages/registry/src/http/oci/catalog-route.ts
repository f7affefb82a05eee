import type { FastifyReply, FastifyRequest } from 'fastify';
import { byCodeUnits } from '../../oci/manifests.ts';
import type { ManifestRows } from '../../oci/manifest-rows.ts';
import { type RepositoryName, repositoryOf, repositoryTarget } from '../../oci/repository.ts';
import type { Services } from '../../services.ts';
import type { OciPlainRoutes } from './oci-api.ts';
import { pageOf, sendJson } from './list-routes.ts';

const MOST = 1000;
const USUAL = 100;

/** `GET /v2/_catalog`: the repositories that whoever asks may read: models that have a version, and what else was pushed to. */
export function catalogRoute(rows: Pick<ManifestRows, 'repositories'>): OciPlainRoutes {
  return (scope, services) => {
    scope.get('/_catalog', { config: { access: 'signed-in' } }, async (request, reply) =>
      listed(request, reply, await readable(services, request, rows)),
    );
  };
}

function listed(request: FastifyRequest, reply: FastifyReply, names: readonly string[]): FastifyReply {
  const query = new URLSearchParams(request.raw.url?.split('?').slice(1).join('?'));
  const asked = query.get('n') ?? String(USUAL);
  query.set('n', /^\d{1,9}$/.test(asked) ? String(Math.min(Number(asked), MOST)) : asked);
  const { page, next } = pageOf(names, query);
  if (next !== undefined) reply.header('link', `</v2/_catalog?${next.toString()}>; rel="next"`);
  return sendJson(reply, 'application/json', { repositories: page });
}

async function readable(
  { database, authorizer }: Services,
  { identity }: FastifyRequest,
  rows: Pick<ManifestRows, 'repositories'>,
): Promise<readonly RepositoryName[]> {
  const models = await database.index
    .selectFrom('models')
    .select('name')
    .where('closed', '=', 0)
    .where('versions', '>', 0)
    .execute();
  const names = [...models.flatMap(({ name }) => name ?? []), ...(await rows.repositories())];
  return [...new Set(names)]
    .flatMap((name) => repositoryOf(name) ?? [])
    .filter((name) => authorizer.may(identity, 'read', repositoryTarget(name)))
    .sort(byCodeUnits);
}
