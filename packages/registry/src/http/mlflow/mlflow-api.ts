/**
 * The API of MLflow: what its unmodified clients call, at the addresses they know, with their errors. *Experiments*,
 * *runs* and *logged models* lie in the server's own tables; *registered models* and *model versions* are the models and
 * versions of the store.
 */

import type { FastifyInstance } from 'fastify';
import type { BodyPace } from '../../contents/body-pace.ts';
import type { Artifacts } from '../../artifacts/artifacts.ts';
import { ensureDefaultExperiment } from '../../tracking/experiments.ts';
import type { Services } from '../../services.ts';
import type { Protocol } from '../app.ts';
import { ARTIFACT_PREFIXES, artifactRoutes } from './artifact-routes.ts';
import { EXPERIMENT_ROUTES } from './experiment-routes.ts';
import { loggedModelRoutes } from './logged-model-routes.ts';
import { METRIC_ROUTES } from './metric-routes.ts';
import { answerMlflowErrors } from './mlflow-errors.ts';
import { addMlflowRoutes, MLFLOW_PREFIXES, type MlflowRoute } from './mlflow-route.ts';
import { LOGGING_ROUTES, RUN_ROUTES } from './run-routes.ts';
import { modelVersionRoutes } from './model-version-routes.ts';
import { modelDetailRoutes, registeredModelRoutes } from './registered-model-routes.ts';
import type { MlflowArtifacts } from './registry-context.ts';
import { WEBHOOK_ROUTES } from './webhook-routes.ts';
import { MLFLOW_RELEASE, serverInfoRoute } from './server-info.ts';

/** Makes the API of MLflow over the server's room for artifacts, whose routes it has, too; `pace`: how slowly files may come. */
export function mlflowApi(artifacts: Artifacts, pace?: BodyPace): Protocol {
  return mlflowApiOver(keptBy(artifacts), (scope, { authorizer }) =>
    artifactRoutes(scope, { artifacts, authorizer, pace }),
  );
}

/** Makes the API of MLflow over whoever keeps artifacts; `more` registers routes that have MLflow's errors, too. */
export function mlflowApiOver(artifacts: MlflowArtifacts, more: Protocol = () => {}): Protocol {
  return async (app, services) => {
    await ensureDefaultExperiment(services);
    const routes = routesOver(artifacts);
    for (const prefix of MLFLOW_PREFIXES) await app.register((scope) => apiBelow(scope, services, routes), { prefix });
    // Files have routes of their own; what is no address of theirs is answered as elsewhere in the API.
    for (const prefix of ARTIFACT_PREFIXES) await app.register((scope) => apiBelow(scope, services, []), { prefix });
    await app.register(async (scope) => {
      answerMlflowErrors(scope, services);
      await more(scope, services);
    });
    plainRoutes(app);
  };
}

async function apiBelow(scope: FastifyInstance, services: Services, routes: readonly MlflowRoute[]): Promise<void> {
  answerMlflowErrors(scope, services);
  scope.setNotFoundHandler((request, reply) => scope.refuseUnknown(request, reply));
  addMlflowRoutes(scope, services, routes);
}

function routesOver(artifacts: MlflowArtifacts): readonly MlflowRoute[] {
  return [
    ...EXPERIMENT_ROUTES,
    ...RUN_ROUTES,
    ...LOGGING_ROUTES,
    ...METRIC_ROUTES,
    ...loggedModelRoutes((id) => artifacts.loggedModelReady(id)),
    ...registeredModelRoutes(artifacts),
    ...modelDetailRoutes(artifacts),
    ...modelVersionRoutes(artifacts),
    ...WEBHOOK_ROUTES,
    serverInfoRoute(artifacts.abilities),
  ];
}

function keptBy({ packages, versions }: Artifacts): MlflowArtifacts {
  return {
    abilities: { multipartUploads: true, multipartDownloads: true, presignedUploads: true },
    packageOf: (source) => packages.packageOf(source),
    loggedModelReady: (id) => packages.loggedModelReady(id),
    addressOf: (version) => versions.addressOf(version),
  };
}

function plainRoutes(scope: FastifyInstance): void {
  const config = { access: 'public' } as const;
  scope.get('/health', { config }, async (_request, reply) => reply.type('text/plain').send('OK'));
  scope.get('/version', { config }, async (_request, reply) => reply.type('text/plain').send(MLFLOW_RELEASE));
}
