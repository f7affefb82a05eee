import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { type FoundWebhook, webhookPath } from './find-webhook.ts';
import type { ServerApi } from './server-api.ts';

const PAGE = 100;

/** Reads deliveries to a webhook, newest first, page by page until there are enough of those to keep. */
export async function deliveriesOf(
  api: ServerApi,
  webhook: FoundWebhook,
  { limit, keep = () => true }: { readonly limit: number; readonly keep?: (delivery: JsonObject) => boolean },
): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined && found.length < limit; ) {
    const after = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await api.ask(`${webhookPath(webhook)}/deliveries?limit=${PAGE}${after}`);
    found.push(...(Array.isArray(page.items) ? page.items : []).filter(isJsonObject).filter(keep));
    cursor = typeof page.next === 'string' ? page.next : undefined;
  }
  return found.slice(0, limit);
}
