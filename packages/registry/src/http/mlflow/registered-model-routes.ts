import { IngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import { checkMaking } from '../../access/authorizer.ts';
import type { Services } from '../../services.ts';
import type { Entry } from '../../tracking/context.ts';
import type { Fields } from './fields.ts';
import { KeptAnswers } from './kept-answers.ts';
import type { Call, MlflowRoute } from './mlflow-route.ts';
import { readablePage } from './readable-page.ts';
import { byWhom, type MlflowArtifacts, readable } from './registry-context.ts';
import {
  aliasTarget,
  checkAlias,
  knownName,
  modelTarget,
  newName,
  noVersion,
  RESERVED_TAGS,
  requireName,
  versionNumber,
} from './registry-names.ts';
import {
  fullModels,
  MLFLOW_STAGES,
  type MlflowModel,
  type MlflowVersion,
  modelOf,
  newestVersions,
  requireModel,
  versionAt,
  versionOf,
} from './registry-rows.ts';
import { searchModels } from './registry-search.ts';
import { checkRegistryTag } from './registry-tags.ts';
import { modelJson, versionJson } from './render-registry.ts';
import { list } from './render-tracking.ts';
import { maxResults } from './search-page.ts';

const MOST = 1000;
const USUAL = 100;
const reads = { can: 'read', on: modelTarget } as const;
const pushes = { can: 'push', on: modelTarget } as const;
const administers = { can: 'admin', on: modelTarget } as const;

/** Registered models: the models of the store. */
export function registeredModelRoutes(artifacts: MlflowArtifacts): readonly MlflowRoute[] {
  const { addressOf } = artifacts;
  const models = new KeptAnswers<MlflowModel>();
  return [
    {
      method: 'POST',
      path: '/registered-models/create',
      access: { handler: 'checks' },
      run: async (call, services) => ({ registered_model: modelJson(await createModel(call, services), addressOf) }),
    },
    {
      method: 'GET',
      path: '/registered-models/get',
      access: reads,
      keeps: true,
      run: async ({ fields }, { database, index }) => {
        const asked = fields.text('name');
        const name = requireName(asked);
        const model = await models.answer(index, name, 'model', () => modelOf(database, name, asked));
        return { registered_model: modelJson(model, addressOf) };
      },
    },
    {
      method: 'POST',
      path: '/registered-models/rename',
      access: administers,
      run: async (call, services) => ({ registered_model: modelJson(await renameModel(call, services), addressOf) }),
    },
    {
      method: 'PATCH',
      path: '/registered-models/update',
      access: pushes,
      run: async ({ fields, identity }, { database, registry }) => {
        const asked = fields.text('name');
        const name = requireName(asked);
        await requireModel(database, name, asked);
        await registry.updateModel(name, { description: fields.optional('description') ?? '' }, byWhom(identity));
        return { registered_model: modelJson(await modelOf(database, name, asked), addressOf) };
      },
    },
    {
      method: 'DELETE',
      path: '/registered-models/delete',
      access: administers,
      run: async ({ fields, identity }, { database, registry }) => {
        const asked = fields.text('name');
        await requireModel(database, requireName(asked), asked);
        await registry.deleteModel(requireName(asked), byWhom(identity));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/registered-models/search',
      access: { handler: 'checks' },
      run: async ({ fields, identity }, services) => {
        const page = {
          filter: fields.optional('filter'),
          orderBy: fields.texts('order_by'),
          limit: maxResults(fields, MOST, USUAL, 0),
        };
        if (page.limit === 0) return {};
        const { items, next } = await readablePage(
          fields.optional('page_token'),
          (cursor) => searchModels(services.database, { ...page, cursor }),
          readable(services, identity, ({ name }) => parseModelName(name)),
        );
        const models = await fullModels(services.database, items);
        return {
          registered_models: list(models.map((model) => modelJson(model, addressOf))),
          next_page_token: next,
        };
      },
    },
    {
      method: ['GET', 'POST'],
      path: '/registered-models/get-latest-versions',
      access: reads,
      keeps: true,
      run: async ({ fields }, { database }) => {
        const asked = fields.text('name');
        const stages: readonly string[] = fields.texts('stages').map(parseStage);
        const { id } = await requireModel(database, requireName(asked), asked);
        const newest = await newestVersions(database, [id]);
        const wanted = newest.filter(({ stage }) => stages.length === 0 || stages.includes(stage ?? 'None'));
        return { model_versions: list(wanted.map((version) => versionJson(version, addressOf))) };
      },
    },
  ];
}

/** Tags and aliases of registered models. */
export function modelDetailRoutes(artifacts: MlflowArtifacts): readonly MlflowRoute[] {
  const { addressOf } = artifacts;
  const versions = new KeptAnswers<MlflowVersion | undefined>();
  return [
    {
      method: 'POST',
      path: '/registered-models/set-tag',
      access: pushes,
      run: async ({ fields, identity }, { database, registry }) => {
        const tag = tagOf(fields);
        const asked = fields.text('name');
        await requireModel(database, requireName(asked), asked);
        await registry.updateModel(requireName(asked), { tags: { [tag.key]: tag.value } }, byWhom(identity));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: '/registered-models/delete-tag',
      access: pushes,
      run: async ({ fields, identity }, { database, registry }) => {
        const key = fields.text('key');
        checkRegistryTag({ key, value: '' });
        const asked = fields.text('name');
        await requireModel(database, requireName(asked), asked);
        await registry.updateModel(requireName(asked), { tags: { [key]: null } }, byWhom(identity));
        return {};
      },
    },
    {
      method: 'POST',
      path: '/registered-models/alias',
      access: { can: 'promote', on: aliasTarget },
      run: async ({ fields, identity }, { database, registry }) => {
        const asked = fields.text('name');
        const alias = checkAlias(fields.text('alias'));
        const number = versionNumber(fields.text('version'));
        const name = knownName(asked);
        if (name === undefined) throw noVersion(asked, number);
        await versionOf(database, name, number, asked);
        await registry.setAlias(name, alias, number, byWhom(identity));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: '/registered-models/alias',
      access: { can: 'promote', on: aliasTarget },
      run: async ({ fields, identity }, { database, registry }) => {
        const asked = fields.text('name');
        const alias = checkAlias(fields.text('alias'));
        const name = requireName(asked);
        await requireModel(database, name, asked);
        if ((await versionAt(database, name, alias)) !== undefined)
          await registry.removeAlias(name, alias, byWhom(identity));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/registered-models/alias',
      access: reads,
      keeps: true,
      run: async ({ fields }, { database, index }) => {
        const asked = fields.text('name');
        const alias = fields.text('alias');
        const name = requireName(asked);
        const isLatest = alias.toLowerCase() === LATEST;
        const version = await versions.answer(index, name, isLatest ? LATEST : alias, () =>
          isLatest ? newestOf(database, name, asked) : versionAt(database, name, alias),
        );
        if (version !== undefined) return { model_version: versionJson(version, addressOf) };
        await requireModel(database, name, asked);
        if (isLatest) throw new IngotError('version-not-found', `Latest version not found for model ${asked}.`);
        throw new IngotError('alias-not-found', `Registered model alias ${alias.slice(0, 300)} not found.`);
      },
    },
  ];
}

/** Clients write the newest version as an alias, too; none can be called that. */
const LATEST = 'latest';

async function newestOf(
  database: Services['database'],
  name: ModelName,
  asked: string,
): Promise<MlflowVersion | undefined> {
  const { id } = await requireModel(database, name, asked);
  return (await newestVersions(database, [id])).at(-1);
}

async function createModel({ fields, identity }: Call, services: Services) {
  const { registry, database, authorizer } = services;
  const { name, displayName } = newName(fields.text('name'));
  checkMaking(authorizer, identity, name);
  const tags = fields.entries('tags');
  for (const tag of tags) checkRegistryTag(tag);
  const description = fields.optional('description') ?? '';
  const { isNew } = await registry.ensureModel(name, byWhom(identity));
  if (!isNew) throw taken(displayName);
  const said = [...tags.map(({ key, value }) => [key, value] as const), ...displayed(name, displayName)];
  if (said.length > 0 || description !== '')
    await registry.updateModel(
      name,
      {
        ...(description === '' ? {} : { description }),
        ...(said.length === 0 ? {} : { tags: Object.fromEntries(said) }),
      },
      byWhom(identity),
    );
  return modelOf(database, name, displayName);
}

async function renameModel({ fields, identity }: Call, services: Services) {
  const { registry, database, authorizer } = services;
  const asked = fields.text('name');
  const { name: to, displayName } = newName(fields.text('new_name'));
  checkMaking(authorizer, identity, to, 'admin');
  const from = requireName(asked);
  const before = await modelOf(database, from, asked);
  if (before.name === displayName) return before;
  if (to !== from) {
    const isTaken = await requireModel(database, to).then(
      () => true,
      () => false,
    );
    if (isTaken) throw taken(displayName);
    await registry.rename(from, to, byWhom(identity));
  }
  const shown = displayed(to, displayName);
  if (shown.length > 0 || before.name !== before.registryName)
    await registry.updateModel(
      to,
      { tags: { [RESERVED_TAGS.displayName]: null, ...Object.fromEntries(shown) } },
      byWhom(identity),
    );
  return modelOf(database, to, displayName);
}

function displayed(name: string, displayName: string): readonly (readonly [string, string])[] {
  return name === displayName ? [] : [[RESERVED_TAGS.displayName, displayName]];
}

/** Reads a stage, whatever its case. Throws `usage`. */
export function parseStage(text: string): (typeof MLFLOW_STAGES)[number] {
  const stage = MLFLOW_STAGES.find((one) => one.toLowerCase() === text.toLowerCase());
  if (stage !== undefined) return stage;
  throw new IngotError(
    'usage',
    `Invalid Model Version stage: ${text.slice(0, 100)}. Value must be one of ${MLFLOW_STAGES.join(', ')}.`,
  );
}

function tagOf(fields: Fields): Entry {
  const tag = { key: fields.text('key'), value: fields.optional('value') ?? '' };
  checkRegistryTag(tag);
  return tag;
}

function taken(name: string): IngotError {
  return new IngotError('name-taken', `Registered Model (name=${name}) already exists.`);
}
