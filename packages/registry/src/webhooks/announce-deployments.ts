import type { DeploymentChange, Deployments } from '../deployments/deployments.ts';
import type { Log } from '../services.ts';
import type { Announcement } from './cloud-event.ts';
import type { Webhooks } from './webhooks.ts';

/** Tells webhooks of versions that model servers begin and cease to answer with. Gives the function that ends it. */
export function announceDeployments(
  deployments: Pick<Deployments, 'subscribe'>,
  webhooks: Pick<Webhooks, 'announce'>,
  log: Log,
): () => void {
  return deployments.subscribe((change) => {
    webhooks.announce(announcementOfChange(change)).catch((error: unknown) => {
      log('warn', `webhooks were not told of a deployment: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
}

/** Makes the announcement of a change; the same change has the same id. */
export function announcementOfChange({ kind, at, server, ...version }: DeploymentChange): Announcement {
  const { model, modelId, number } = version;
  return {
    type: kind === 'began' ? 'deployment.started' : 'deployment.ended',
    id: `${kind}:${server.id}:${modelId}:${number}:${at}`,
    model,
    subject: `models/${model}/versions/${number}`,
    at,
    data: { ...version, server },
  };
}
