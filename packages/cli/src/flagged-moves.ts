import { isJsonObject, type JsonObject } from '@ingot/core/json';
import type { Context } from './context.ts';
import { serverOfRegistry } from './server-api.ts';

/** Moves of protected aliases that were made past the server and are not followed, newest first; 1,000 at most. */
export async function flaggedMoves(context: Context): Promise<readonly JsonObject[]> {
  const { items } = await serverOfRegistry(context).ask('/audit/flagged');
  return (Array.isArray(items) ? items : []).filter(isJsonObject);
}
