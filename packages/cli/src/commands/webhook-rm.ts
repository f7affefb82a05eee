import { IngotError } from '@ingot/core/errors';
import type { Context, Result } from '../context.ts';
import { findWebhook, webhookPath } from '../find-webhook.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot webhook rm NAME`: removes a webhook with the record of its deliveries. */
export async function run(context: Context): Promise<Result> {
  const api = serverOfRegistry(context);
  const webhook = await findWebhook(api, context.arguments.argument(0));
  const name = plain(webhook.name);
  if (!context.arguments.isOn('yes')) {
    const answer = context.format === 'human' ? await context.confirm(`remove the webhook ${name}?`) : undefined;
    if (answer === false) throw new IngotError('interrupted', 'nothing was removed');
    if (answer === undefined)
      throw new IngotError('usage', `removing ${name} needs --yes where nobody can be asked`, {
        hint: `ingot webhook rm ${name} --yes`,
      });
  }
  await api.ask(webhookPath(webhook), { method: 'DELETE' });
  return {
    json: { removed: webhook.id, name: webhook.name },
    quiet: [webhook.id],
    human: () => `removed the webhook ${name}\n`,
  };
}
