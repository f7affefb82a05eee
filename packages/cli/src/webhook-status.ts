import type { Context, Result } from './context.ts';
import { findWebhook, webhookPath } from './find-webhook.ts';
import { plain } from './output/terminal.ts';
import { serverOfRegistry } from './server-api.ts';

/** Makes the webhook that the first argument names active, or disables it. */
export async function setWebhookStatus(status: 'active' | 'disabled', context: Context): Promise<Result> {
  const api = serverOfRegistry(context);
  const webhook = await findWebhook(api, context.arguments.argument(0));
  const changed = await api.ask(webhookPath(webhook), { method: 'PATCH', body: { status } });
  return {
    json: changed,
    quiet: [webhook.id],
    human: () => `${context.terminal.out.colors.bold(plain(webhook.name))} is ${status}\n`,
    notes: status === 'active' ? [] : ['what happens meanwhile is not told afterwards'],
  };
}
