import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import { nearest } from '@ingot/core/nearest';
import type { ServerApi } from './server-api.ts';

/** A webhook of a registry server, as far as its verbs need it. */
export interface FoundWebhook extends JsonObject {
  readonly id: string;
  readonly name: string;
}

/** Lists the webhooks of a server, oldest first. */
export async function webhooksOf(api: ServerApi): Promise<readonly FoundWebhook[]> {
  const { items } = await api.ask('/webhooks');
  return (Array.isArray(items) ? items : []).filter(isWebhook);
}

/**
 * Finds a webhook by its id or its name.
 * @throws IngotError `not-found` with the nearest name, `conflict` when several have the name.
 */
export async function findWebhook(api: ServerApi, text: string): Promise<FoundWebhook> {
  const webhooks = await webhooksOf(api);
  const byId = webhooks.find(({ id }) => id === text);
  const named = webhooks.filter(({ name }) => name === text);
  const [first] = named;
  if (byId !== undefined) return byId;
  if (first === undefined) {
    const close = nearest(
      text,
      webhooks.map(({ name }) => name),
    );
    throw new IngotError('not-found', `there is no webhook "${text}"`, {
      hint: 'ingot webhook ls',
      ...(close !== undefined && { nearest: close }),
    });
  }
  if (named.length === 1) return first;
  throw new IngotError('conflict', `${named.length} webhooks are called "${text}"`, {
    hint: `name it by its id: ${named.map(({ id }) => id).join(', ')}`,
  });
}

/** Path of a webhook below `/api/v1`. */
export function webhookPath({ id }: FoundWebhook): string {
  return `/webhooks/${encodeURIComponent(id)}`;
}

function isWebhook(value: unknown): value is FoundWebhook {
  return isJsonObject(value) && typeof value.id === 'string' && typeof value.name === 'string';
}
