import type { ModelSummary } from '@ingot/core/registry/registry';
import { assembleStore } from '../open.ts';
import type { Settings } from '../settings/settings.ts';
import type { Names } from './names.ts';
import { recallNames, rememberNames } from './names.ts';

/** Reads the names from the store and keeps them for the next time. */
export async function refreshNames(settings: Settings, now: Date): Promise<Names | undefined> {
  await using store = await assembleStore(settings, { now: () => now });
  const { registry, names } = store;
  const models: ModelSummary[] = [];
  for await (const model of registry.models()) models.push(model);
  rememberNames(names, models);
  return recallNames(names, now, Number.POSITIVE_INFINITY);
}
