import type { Context, Result } from '../context.ts';
import { setWebhookStatus } from '../webhook-status.ts';

/** `ingot webhook disable NAME`: sends nothing to a webhook until it is enabled. */
export async function run(context: Context): Promise<Result> {
  return setWebhookStatus('disabled', context);
}
