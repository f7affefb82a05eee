/**
 * The API of MLflow: what its unmodified clients call, at the addresses they know, with their errors. *Experiments*,
 * *runs* and *logged models* lie in the server's own tables; *registered models* and *model versions* are the models and
 * versions of the store.
 */

import type { FastifyInstance } from 'fastify';
import { ensureDefaultExperiment } from '../../tracking/experiments.ts';
import type { Services } from '../../services.ts';
import { artifactRoutes } from './artifact-routes.ts';
import { EXPERIMENT_ROUTES } from './experiment-routes.ts';
import { LOGGED_MODEL_ROUTES } from './logged-model-routes.ts';
import { METRIC_ROUTES } from './metric-routes.ts';
import { answerMlflowErrors } from './mlflow-errors.ts';
import { addMlflowRoutes } from './mlflow-route.ts';
import { LOGGING_ROUTES, RUN_ROUTES } from './run-routes.ts';
import { MLFLOW_RELEASE, serverInfoRoute, type TransferAbilities } from './server-info.ts';

/** What this server can do for artifacts. */
function abilitiesOf({ artifacts }: Pick<Services, 'artifacts'>): TransferAbilities {
  const can = artifacts !== undefined;
  return { multipartUploads: can, multipartDownloads: can, presignedUploads: can };
}

/** Registers the API of MLflow; what artifacts can do is told to its clients. */
export function mlflowApi() {
  return async (app: FastifyInstance, services: Services): Promise<void> => {
    await ensureDefaultExperiment(services);
    await app.register(async (scope) => {
      answerMlflowErrors(scope, services);
      addMlflowRoutes(scope, services, [
        ...EXPERIMENT_ROUTES,
        ...RUN_ROUTES,
        ...LOGGING_ROUTES,
        ...METRIC_ROUTES,
        ...LOGGED_MODEL_ROUTES,
        serverInfoRoute(abilitiesOf(services)),
      ]);
      if (services.artifacts !== undefined) await artifactRoutes(scope, { ...services, artifacts: services.artifacts });
      plainRoutes(scope);
    });
  };
}

function plainRoutes(scope: FastifyInstance): void {
  const config = { access: 'public' } as const;
  scope.get('/health', { config }, async (_request, reply) => reply.type('text/plain').send('OK'));
  scope.get('/version', { config }, async (_request, reply) => reply.type('text/plain').send(MLFLOW_RELEASE));
}
