import type { Context, Result } from '../context.ts';
import { setWebhookStatus } from '../webhook-status.ts';

/** `ingot webhook enable NAME`: begins to send to a webhook again, what waits first. */
export async function run(context: Context): Promise<Result> {
  return setWebhookStatus('active', context);
}
