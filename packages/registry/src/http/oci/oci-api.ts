/**
 * The *distribution API* of the Open Container Initiative under `/v2`: any client of container registries pulls models
 * as artifacts and pushes them, and images live beside them. A request names a *repository*, and what is behind it:
 * *manifests* by tag or digest, *blobs* by digest.
 */

import type { FastifyInstance } from 'fastify';
import type { Services } from '../../services.ts';
import type { Protocol } from '../app.ts';
import { answerOciErrors } from './oci-errors.ts';
import { addOciRoutes, type OciRoutes } from './oci-route.ts';

/** Where the API lies. */
export const OCI_PREFIX = '/v2';

/** What is not behind the name of a repository: it has routes of its own, relative to {@link OCI_PREFIX}. */
export type OciPlainRoutes = (scope: FastifyInstance, services: Services) => void;

/** Makes the API of groups of routes. */
export function ociApi(groups: readonly OciRoutes[], plain: readonly OciPlainRoutes[] = []): Protocol {
  return async (app, services) => {
    await app.register(
      async (scope) => {
        answerOciErrors(scope, services);
        scope.setNotFoundHandler((request, reply) => scope.refuseUnknown(request, reply));
        takeAnyBody(scope);
        scope.addHook('onRequest', async (_request, reply) => {
          reply.header('docker-distribution-api-version', 'registry/2.0');
        });
        baseRoute(scope);
        for (const routes of plain) routes(scope, services);
        addOciRoutes(
          scope,
          services,
          groups.flatMap((routes) => routes(services)),
        );
      },
      { prefix: OCI_PREFIX },
    );
  };
}

/** Bodies of all types are left to the handler, which reads them as they come. */
function takeAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** `GET /v2/`: says that the API is here, to whoever may come in. */
function baseRoute(scope: FastifyInstance): void {
  scope.get('/', { config: { access: 'signed-in' } }, async (_request, reply) =>
    reply.type('application/json').send('{}'),
  );
}
