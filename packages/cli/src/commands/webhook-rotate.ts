import type { Context, Result } from '../context.ts';
import { askSecret } from '../ask-secret.ts';
import { findWebhook, webhookPath } from '../find-webhook.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';
import { newSecret } from './webhook-add.ts';

/** `ingot webhook rotate NAME`: gives a webhook a new secret and shows it, once. */
export async function run(context: Context): Promise<Result> {
  const api = serverOfRegistry(context);
  const webhook = await findWebhook(api, context.arguments.argument(0));
  const isGiven = context.arguments.isOn('with-secret');
  const secret = isGiven ? await askSecret(context, 'new secret of the webhook') : newSecret();
  const changed = await api.ask(webhookPath(webhook), { method: 'PATCH', body: { secret } });
  return {
    json: { ...changed, ...(!isGiven && { secret }) },
    quiet: isGiven ? [webhook.id] : [secret],
    human: () => (isGiven ? `${plain(webhook.name)} has a new secret\n` : `${secret}\n`),
    notes: [
      'for a day deliveries are signed with the old secret, too',
      ...(isGiven ? [] : ['the new one is shown this once']),
    ],
  };
}
