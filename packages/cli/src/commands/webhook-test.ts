import type { Context, Result } from '../context.ts';
import { findWebhook, webhookPath } from '../find-webhook.ts';
import { plain } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** Exit status for an address that does not take what is sent. */
const UNAVAILABLE = 7;

/** `ingot webhook test NAME`: sends a ping at once, and says what came of it. */
export async function run(context: Context): Promise<Result> {
  const api = serverOfRegistry(context);
  const webhook = await findWebhook(api, context.arguments.argument(0));
  const outcome = await api.ask(`${webhookPath(webhook)}/test`, { method: 'POST', body: {} });
  const { success, status, error } = outcome;
  const said = success === true ? `answered with status ${String(status)}` : plain(String(error));
  const { colors } = context.terminal.out;
  return {
    json: { id: webhook.id, name: webhook.name, ...outcome },
    quiet: [said],
    human: () => `${success === true ? colors.green('✓') : colors.red('✗')} ${plain(String(webhook.url))}: ${said}\n`,
    ...(success !== true && { exitCode: UNAVAILABLE }),
  };
}
