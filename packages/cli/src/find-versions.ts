import { isJsonObject, type JsonObject } from '@ingot/core/json';
import type { FoundVersion } from '@ingot/registry/search/found-version';
import type { Context } from './context.ts';
import type { OpenedStore } from './open.ts';
import { openServerApi, type ServerApi } from './server-api.ts';

/** What is searched for. */
export interface Search {
  readonly filter: string;
  readonly sort?: string | undefined;
  /** Default: all. */
  readonly limit?: number;
}

/** What a listing shows of a version that was found. */
export type Found = Pick<
  FoundVersion,
  'model' | 'number' | 'label' | 'status' | 'stage' | 'aliases' | 'flavor' | 'sizeBytes' | 'publishedAt' | 'metrics'
>;

/** Versions that were found, and whether there are more. */
export interface Findings<Item = Found> {
  readonly items: readonly Item[];
  readonly isCut: boolean;
}

/**
 * Searches versions: asks the server, or goes through the logs of the store.
 * @throws IngotError `usage` for a search that is not understood.
 */
export async function findVersions(store: OpenedStore, search: Search, context: Context): Promise<Findings> {
  return store.isServer === true ? askServer(store.address, search, context) : searchLogs(store, search, context);
}

async function searchLogs(store: OpenedStore, search: Search, { now, signal }: Context): Promise<Findings> {
  const { searchRegistry } = await import('@ingot/registry/search/search-registry');
  return searchRegistry(store.registry, {
    ...search,
    now: now(),
    signal,
    filesOf: async ({ recipe }) => {
      const { contents } = await store.contents.openRecipe(recipe, { signal });
      return contents.flatMap(({ role, path, digest }) =>
        role === 'file' && path !== undefined ? [{ path, digest }] : [],
      );
    },
  });
}

const PAGE = 1000;
/** What is longer, in characters, goes as a body: proxies refuse addresses of some thousand. */
const LONGEST_QUERY = 4000;

async function askServer(address: string, { filter, sort, limit }: Search, context: Context): Promise<Findings> {
  const api = openServerApi(address, context);
  const items: Found[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const left = limit === undefined ? PAGE : limit - items.length;
    if (left <= 0) return { items, isCut: true };
    const query = new URLSearchParams({ filter });
    if (sort !== undefined) query.set('sort', sort);
    if (cursor !== '') query.set('cursor', cursor);
    const page: JsonObject = await askPage(api, query, Math.min(PAGE, left));
    items.push(...listOf(page.items).map(foundIn));
    cursor = typeof page.next === 'string' ? page.next : undefined;
  }
  return { items, isCut: false };
}

function askPage(api: ServerApi, query: URLSearchParams, limit: number): Promise<JsonObject> {
  if (String(query).length <= LONGEST_QUERY) return api.ask(`/versions?${query}&limit=${limit}`);
  return api.ask('/versions/search', { method: 'POST', body: { ...Object.fromEntries(query), limit } });
}

/** The objects of a list in an answer. */
export function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** As the server says it; what it says besides goes into `--json`, too. */
function foundIn(item: JsonObject): Found {
  const { label, stage, metrics, aliases } = item;
  return {
    ...item,
    model: String(item.model),
    number: Number(item.number),
    status: item.status === 'retired' || item.status === 'deleted' ? item.status : 'active',
    aliases: Array.isArray(aliases) ? aliases.map(String) : [],
    flavor: String(item.flavor),
    sizeBytes: Number(item.sizeBytes),
    publishedAt: String(item.publishedAt),
    metrics: Object.fromEntries(
      Object.entries(isJsonObject(metrics) ? metrics : {}).map(([key, value]) => [key, Number(value)]),
    ),
    ...(typeof label === 'string' && { label }),
    ...(typeof stage === 'string' && { stage }),
  };
}
