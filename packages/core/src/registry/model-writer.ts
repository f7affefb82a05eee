import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { ModelName } from '../ref.ts';
import type { BlobOptions } from '../blob/blob-store.ts';
import { briefOf, summaryFrom } from './brief.ts';
import { appendTo, checkDeletable, checkSeq, reasoned } from './log-writer.ts';
import type { ModelDirectory } from './model-directory.ts';
import type { NamedModel } from './names-fold.ts';
import type { ModelState } from './model-fold.ts';
import type { ModelChanges, Registry } from './registry.ts';
import { keptVersions } from './select.ts';

const BASE_VERSIONS = 3;

/** Makes the methods of a registry that make, name and delete models. */
export function createModelWriter(
  directory: ModelDirectory,
): Pick<Registry, 'ensureModel' | 'updateModel' | 'prepareWrite' | 'deleteModel' | 'rename'> {
  return {
    async prepareWrite(options = {}) {
      // The write tells what is wrong.
      await directory.tools.checkClock(options).catch(() => {});
    },

    async ensureModel(name, options = {}) {
      for (;;) {
        const [{ named, isNew }, early] = await Promise.all([
          createdModel(directory, name, options),
          refreshedGuess(directory, name, options),
        ]);
        if (isNew) {
          directory.newLog(named.id);
          await directory.remember();
          return { id: named.id, base: [], isNew };
        }
        const { state } = early?.id === named.id ? early.snapshot : await directory.log(named.id).refresh(options);
        await directory.remember();
        if (!state.closed) {
          const base = keptVersions(state).slice(0, BASE_VERSIONS);
          return { id: named.id, base: base.map((entry) => entry.recipe), isNew };
        }
        // Whoever closed it did not come to free its name.
        await freeName(directory, named, options);
      }
    },

    async updateModel(name, changes, options = {}) {
      const model = await directory.open(name, { ...options, toWrite: true });
      const { snapshot } = await appendTo(
        directory,
        model,
        (state) => {
          const body = effective(state, changes);
          if (Object.keys(body).length === 0) return undefined;
          return { kind: 'model-updated', body: reasoned(body, options.reason) };
        },
        options,
      );
      return summaryFrom(model, briefOf(snapshot.state, snapshot.at));
    },

    async deleteModel(name, options = {}) {
      await directory.writableNames(options);
      const model = await directory.open(name, options);
      await model.log.append((snapshot) => {
        const { state } = snapshot;
        if (state.closed) return undefined;
        checkSeq(model, snapshot, options);
        checkDeletable(name, state);
        return { kind: 'closed', body: reasoned({}, options.reason) };
      }, options);
      await freeName(directory, model, options, options.reason);
      await directory.remember();
    },

    async rename(name, newName, options = {}) {
      const { id } = await directory.open(name, options);
      const names = await directory.writableNames(options);
      if (newName !== name) await freeIfClosed(directory, newName, options);
      await names.append(({ state }) => {
        if (state.models.get(name)?.id !== id)
          throw new IngotError('conflict', `model "${name}" was renamed or deleted meanwhile`);
        if (name === newName) return undefined;
        if (state.models.has(newName)) throw taken(newName);
        return {
          kind: 'model-renamed',
          body: reasoned({ renames: [{ id, from: name, to: newName }] }, options.reason),
        };
      }, options);
      await directory.remember();
    },
  };
}

/** The log of the model that had the name when this process looked last, read meanwhile. */
async function refreshedGuess(directory: ModelDirectory, name: ModelName, options: BlobOptions) {
  const id = (await directory.writableNames({ ...options, create: true })).known?.state.models.get(name)?.id;
  return id === undefined ? undefined : { id, snapshot: await directory.log(id).refresh(options) };
}

async function createdModel(
  directory: ModelDirectory,
  name: ModelName,
  options: BlobOptions,
): Promise<{ readonly named: NamedModel; readonly isNew: boolean }> {
  const id = newModelId(name, directory.tools.random);
  const { snapshot, event } = await (await directory.writableNames({ ...options, create: true })).append(
    ({ state }) => (state.models.has(name) ? undefined : { kind: 'model-created', body: { name, id } }),
    options,
  );
  const model = snapshot.state.models.get(name);
  if (model === undefined) throw new IngotError('unexpected', `model "${name}" was not made`);
  return { named: model, isNew: event !== undefined };
}

/** Whoever deleted the model that has a name may have died before the name was free. */
async function freeIfClosed(directory: ModelDirectory, name: ModelName, options: BlobOptions): Promise<void> {
  const { state } = await (await directory.names(options)).refresh(options);
  const holder = state.models.get(name);
  if (holder === undefined) return;
  if ((await directory.log(holder.id).refresh(options)).state.closed) await freeName(directory, holder, options);
}

async function freeName(directory: ModelDirectory, { id }: NamedModel, options: BlobOptions, reason?: string) {
  const names = await directory.writableNames(options);
  await names.append(({ state }) => {
    const current = [...state.models.values()].find((model) => model.id === id);
    return current && { kind: 'model-deleted', body: reasoned({ name: current.name, id }, reason) };
  }, options);
  directory.forget(id);
}

/** What changes would change. */
function effective(state: ModelState, { description, tags }: ModelChanges): JsonObject {
  const known = new Map(Object.entries(state.tags));
  const changed = Object.entries(tags ?? {}).filter(([key, value]) => (known.get(key) ?? null) !== value);
  return {
    ...(description === undefined || description === (state.description ?? '') ? {} : { description }),
    ...(changed.length === 0 ? {} : { tags: Object.fromEntries(changed) }),
  };
}

function newModelId(name: ModelName, random: (size: number) => Uint8Array): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `${slug.replace(/^-|-$/g, '')}-${Buffer.from(random(8)).toString('hex')}`;
}

function taken(name: ModelName): IngotError {
  return new IngotError('name-taken', `there is already a model "${name}"`, {
    hint: `ingot show ${name}`,
    details: { model: name },
  });
}
