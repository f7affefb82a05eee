import { viewOf } from './brief.ts';
import { historyEntry } from './history-summary.ts';
import { listModels } from './listing.ts';
import type { ModelDirectory } from './model-directory.ts';
import { readRecord, resolvedAs } from './record.ts';
import type { Registry } from './registry.ts';
import { aliasNotFound, selectVersion } from './select.ts';

/** The methods of a registry that only read. */
export type ReadingRegistry = Pick<
  Registry,
  'resolve' | 'models' | 'model' | 'version' | 'history' | 'previousAliasTarget'
>;

/** Makes the reading half of a registry over the logs of a store. */
export function createLogReader(directory: ModelDirectory): ReadingRegistry {
  return {
    async resolve(reference, options = {}) {
      const model = await directory.open(reference.name, options);
      const entry = selectVersion(model.name, model.state, reference.selector);
      await directory.remember();
      return resolvedAs(model, entry, reference);
    },

    async *models(options = {}) {
      for await (const summary of listModels(directory, options)) if (summary.versions > 0) yield summary;
      await directory.remember();
    },

    async model(name, options = {}) {
      const model = await directory.open(name, options);
      await directory.remember();
      return viewOf(model);
    },

    async version(reference, options = {}) {
      const model = await directory.open(reference.name, options);
      const entry = selectVersion(model.name, model.state, reference.selector);
      await directory.remember();
      return readRecord(model, entry, options);
    },

    async *history(name, options = {}) {
      const model = await directory.open(name, options);
      for await (const event of model.log.events(model.seq, options)) yield historyEntry(event);
      await directory.remember();
    },

    async previousAliasTarget(name, alias, options = {}) {
      const model = await directory.open(name, options);
      const entry = model.state.aliases.find((known) => known.alias === alias);
      if (entry === undefined) return aliasNotFound(name, model.state, alias);
      return entry.past.find((number) => model.state.versions[number - 1]?.status === 'active');
    },
  };
}
