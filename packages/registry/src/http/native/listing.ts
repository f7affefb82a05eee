import type { ModelName } from '@ingot/core/ref';
import type { HistoryEntry, ModelSummary, VersionSlim } from '@ingot/core/registry/registry';
import type { Services } from '../../services.ts';
import { type Page, pageFrom } from './paging.ts';

/** Where a page begins and how long it may be. */
export interface PageWanted<Key> {
  readonly after: Key | undefined;
  readonly limit: number;
}

/** Models that have a version, by name, of those that `mayRead` lets through. */
export async function modelPage(
  { registry }: Services,
  { after, limit }: PageWanted<string>,
  mayRead: (model: ModelName) => boolean,
): Promise<Page<ModelSummary>> {
  const found: ModelSummary[] = [];
  for await (const model of registry.models()) {
    if ((after !== undefined && model.name <= after) || !mayRead(model.name)) continue;
    found.push(model);
    if (found.length > limit) break;
  }
  return pageFrom(found, limit, { kind: 'models', keyOf: ({ name }) => name });
}

/** Versions of a model, newest first; deleted ones stand among them. */
export async function versionPage(
  { registry }: Services,
  name: ModelName,
  { after, limit }: PageWanted<number>,
): Promise<Page<VersionSlim>> {
  const { all } = await registry.model(name);
  const rest = after === undefined ? all : all.filter(({ number }) => number < after);
  return pageFrom(rest, limit, { kind: 'versions', keyOf: ({ number }) => number });
}

/** What happened to a model, oldest first. */
export async function historyPage(
  { registry }: Services,
  name: ModelName,
  { after = 0, limit }: PageWanted<number>,
): Promise<Page<HistoryEntry>> {
  const found: HistoryEntry[] = [];
  for await (const entry of registry.history(name)) {
    if (entry.seq <= after) continue;
    found.push(entry);
    if (found.length > limit) break;
  }
  return pageFrom(found, limit, { kind: 'history', keyOf: ({ seq }) => seq });
}
