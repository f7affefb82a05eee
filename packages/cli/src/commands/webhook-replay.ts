import { IngotError } from '@ingot/core/errors';
import type { Context, Result } from '../context.ts';
import { findWebhook, webhookPath } from '../find-webhook.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';
import { deliveriesOf } from '../webhook-deliveries.ts';

const MOST = 1000;

/** `ingot webhook replay NAME DELIVERY | --failed`: sends deliveries again, each with its id and a new signature. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given } = context;
  const one = given.argument(1);
  if ((one === '') !== given.isOn('failed'))
    throw new IngotError('usage', 'say which delivery is sent again, or --failed for all that failed', {
      hint: `ingot webhook deliveries ${given.argument(0)}`,
    });
  const api = serverOfRegistry(context);
  const webhook = await findWebhook(api, given.argument(0));
  const failed = { limit: MOST, keep: ({ state }: { state?: unknown }) => state === 'failed' };
  const ids = one === '' ? (await deliveriesOf(api, webhook, failed)).map(({ id }) => String(id)) : [one];
  // The oldest first, as they happened.
  for (const id of [...ids].reverse())
    await api.ask(`${webhookPath(webhook)}/deliveries/${encodeURIComponent(id)}/replay`, { method: 'POST', body: {} });
  return {
    json: { webhook: webhook.id, replayed: ids },
    quiet: ids,
    human: () =>
      `${ids.length === 1 ? '1 delivery' : `${ids.length} deliveries`} to ${plain(webhook.name)} sent again\n`,
    notes: webhook.status === 'active' ? [] : [`it is disabled: ingot webhook enable ${plain(webhook.name)}`],
  };
}
