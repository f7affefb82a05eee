import type { BlobOptions } from '../blob/blob-store.ts';
import { IngotError } from '../errors.ts';
import type { Reference } from '../ref.ts';
import type { Arrivals } from './arrivals.ts';
import { viewOf } from './brief.ts';
import { historyEntry } from './history-summary.ts';
import { listModels } from './listing.ts';
import { readDocuments } from './log-documents.ts';
import type { ModelDirectory } from './model-directory.ts';
import type { VersionEntry } from './model-fold.ts';
import { type OpenModel, readRecord, resolvedAs } from './record.ts';
import type { Registry } from './registry.ts';
import { aliasNotFound, selectVersion } from './select.ts';

/** The methods of a registry that only read. */
export type ReadingRegistry = Pick<
  Registry,
  'resolve' | 'models' | 'model' | 'version' | 'history' | 'log' | 'previousAliasTarget'
>;

/** Makes the reading half of a registry over the logs of a store. */
export function createLogReader(directory: ModelDirectory): ReadingRegistry {
  const select = selecting(directory);
  return {
    async resolve(reference, options = {}) {
      const model = await directory.open(reference.name, options);
      const entry = await select(model, reference, options);
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
      const entry = await select(model, reference, options);
      await directory.remember();
      return readRecord(model, entry, options);
    },

    async *history(name, options = {}) {
      const model = await directory.open(name, options);
      for await (const event of model.log.events(model.seq, options)) yield historyEntry(event);
      await directory.remember();
    },

    async *log(name, options = {}) {
      const { id, seq } = await directory.open(name, options);
      yield* readDocuments(directory.tools.blobs, `models/${id}`, { from: 1, to: seq }, options);
    },

    async previousAliasTarget(name, alias, options = {}) {
      const model = await directory.open(name, options);
      const entry = model.state.aliases.find((known) => known.alias === alias);
      if (entry === undefined) return aliasNotFound(name, model.state, alias);
      return entry.past.find((number) => model.state.versions[number - 1]?.status === 'active');
    },
  };
}

type Select = (model: OpenModel, reference: Reference, options: BlobOptions) => Promise<VersionEntry>;

/** Selects what a reference means; in a mirror the newest before it, with a warning, while its contents are not there. */
function selecting(directory: ModelDirectory): Select {
  const { blobs, warn } = directory.tools;
  let arrivals: Arrivals | undefined;
  return async (model, reference, options) => {
    const follows = await directory.follows(options);
    if (follows !== undefined && model.seq === 0) throw notMirrored(model, follows);
    const selected = selectVersion(model.name, model.state, reference.selector);
    if (follows === undefined) return selected;
    // Only mirrors look at contents here, so only they load the code that reads them.
    arrivals ??= new (await import('./arrivals.ts')).Arrivals(blobs);
    const entry = await arrivals.newestWhole(model, selected, reference, options);
    if (entry !== selected)
      warn(
        `version ${selected.number} of "${model.name}" has not arrived whole in this mirror yet, so this is version ${entry.number}`,
      );
    return entry;
  };
}

function notMirrored({ name }: OpenModel, follows: string): IngotError {
  return new IngotError('version-not-found', `no version of "${name}" is in this mirror of ${follows}`, {
    hint: `ingot mirror ${follows} MIRROR --model ${name}   (or without --model, which brings all)`,
    details: { model: name },
  });
}
