import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ModelName } from '@ingot/core/ref';
import { parseVersionSource } from '../../artifacts/version-source.ts';
import type { Services } from '../../services.ts';
import { loggedModelRow } from '../../tracking/logged-models.ts';
import { runRow } from '../../tracking/runs.ts';
import { KeptAnswers } from './kept-answers.ts';
import type { Call, MlflowRoute } from './mlflow-route.ts';
import { NotedModels } from './noted-models.ts';
import { checkSource } from './model-version-source.ts';
import { byWhom, type MlflowArtifacts, numbered, readable } from './registry-context.ts';
import { knownName, modelTarget, noVersion, requireName, versionNumber } from './registry-names.ts';
import { type MlflowVersion, requireModel, versionOf } from './registry-rows.ts';
import { searchVersions } from './registry-search.ts';
import { checkRegistryTag } from './registry-tags.ts';
import { parseStage } from './registered-model-routes.ts';
import { versionJson } from './render-registry.ts';
import { maxResults } from './search-page.ts';
import { draftFor } from './version-draft.ts';
import { versionPage } from './version-page.ts';
import { VersionTexts } from './version-texts.ts';

const MOST = 200_000;
const USUAL = 10_000;
const reads = { can: 'read', on: modelTarget } as const;
const pushes = { can: 'push', on: modelTarget } as const;
const administers = { can: 'admin', on: modelTarget } as const;

/** Model versions: the versions of the store. */
export function modelVersionRoutes(artifacts: MlflowArtifacts): readonly MlflowRoute[] {
  const { addressOf } = artifacts;
  const versions = new KeptAnswers<MlflowVersion>();
  const texts = new VersionTexts();
  let noted: NotedModels | undefined;
  return [
    {
      method: 'POST',
      path: '/model-versions/create',
      access: pushes,
      run: async (call, services) => ({
        model_version: versionJson(await createVersion(call, services, artifacts), addressOf),
      }),
    },
    {
      method: 'GET',
      path: '/model-versions/get',
      access: reads,
      keeps: true,
      run: async (call, services) => {
        const { name, number, asked } = placeIn(call);
        const read = () => versionOf(services.database, name, number, asked);
        const version = await versions.answer(services.index, name, String(number), read);
        return { model_version: versionJson(version, addressOf) };
      },
    },
    {
      method: 'PATCH',
      path: '/model-versions/update',
      access: pushes,
      run: async (call, services) => {
        const { name, number } = await askedPlace(call, services);
        const description = call.fields.optional('description') ?? '';
        await services.registry.update(numbered(name, number), { description }, byWhom(call.identity));
        return { model_version: versionJson(await askedVersion(call, services), addressOf) };
      },
    },
    {
      method: 'DELETE',
      path: '/model-versions/delete',
      access: administers,
      run: async (call, services) => {
        const { name, number, version } = await askedPlace(call, services);
        for (const alias of version.aliases)
          await services.registry.removeAlias(name, alias, { ...byWhom(call.identity), expected: number });
        await services.registry.deleteVersion(numbered(name, number), byWhom(call.identity));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/model-versions/search',
      access: { handler: 'checks' },
      run: async ({ fields, identity }, services) => {
        const page = {
          filter: fields.optional('filter'),
          orderBy: fields.texts('order_by'),
          limit: maxResults(fields, MOST, USUAL),
        };
        const { database } = services;
        noted ??= new NotedModels(services);
        const mayRead = readable(services, identity, (model: ModelName) => model);
        return versionPage({ database, texts, noted, addressOf, mayRead }, fields.optional('page_token'), (cursor) =>
          searchVersions(database, { ...page, cursor }),
        );
      },
    },
    {
      method: 'GET',
      path: '/model-versions/get-download-uri',
      access: reads,
      run: async (call, services) => ({
        artifact_uri: await downloadAddress(services, await askedVersion(call, services), artifacts),
      }),
    },
    {
      method: 'POST',
      path: '/model-versions/transition-stage',
      access: { can: 'promote', on: modelTarget },
      run: async (call, services) => ({ model_version: versionJson(await moveToStage(call, services), addressOf) }),
    },
    {
      method: 'POST',
      path: '/model-versions/set-tag',
      access: pushes,
      run: async (call, services) => {
        const tag = { key: call.fields.text('key'), value: call.fields.optional('value') ?? '' };
        checkRegistryTag(tag);
        await changeTag(call, services, { [tag.key]: tag.value });
        return {};
      },
    },
    {
      method: 'DELETE',
      path: '/model-versions/delete-tag',
      access: pushes,
      run: async (call, services) => {
        const key = call.fields.text('key');
        checkRegistryTag({ key, value: '' });
        await changeTag(call, services, { [key]: null });
        return {};
      },
    },
  ];
}

async function createVersion(
  { fields, identity }: Call,
  services: Services,
  { packageOf }: MlflowArtifacts,
): Promise<MlflowVersion> {
  const asked = fields.text('name');
  const given = {
    source: fields.text('source'),
    runId: fields.optional('run_id'),
    modelId: fields.optional('model_id'),
  };
  const tags = fields.entries('tags');
  for (const tag of tags) checkRegistryTag(tag);
  const runLink = fields.optional('run_link');
  const description = fields.optional('description');
  const name = requireName(asked);
  // What is kept of a model is there.
  if (services.index.markNow(name) === undefined) await requireModel(services.database, name, asked);
  checkMayCopy(services, identity, given.source);
  const checked = isPrompt(given.source, tags) ? given : await checkSource(services, given);
  const draft = await draftFor(services, await packageOf(checked.source), { checked, tags, runLink, description });
  const { version } = await services.registry.publish(name, draft, { always: true, ...byWhom(identity) });
  return versionOf(services.database, name, version.number, asked);
}

/** Prompts of MLflow are versions without files: their text is a tag, and their source this word. */
function isPrompt(source: string, tags: readonly { readonly key: string }[]): boolean {
  return source === 'dummy-source' && tags.some(({ key }) => key === 'mlflow.prompt.is_prompt');
}

/** Whoever makes a version of another's files must be allowed to read them where they are. */
function checkMayCopy({ authorizer }: Services, identity: Call['identity'], source: string): void {
  const parsed = parseVersionSource(source);
  if (parsed.kind === 'elsewhere') return;
  const target = parsed.kind === 'version' ? { kind: 'model' as const, model: requireName(parsed.name) } : SERVER;
  authorizer.check(identity, 'read', target);
}

const SERVER = { kind: 'server' } as const;

interface Place {
  readonly name: ModelName;
  readonly number: number;
  readonly version: MlflowVersion;
}

function placeIn({ fields }: Call): Omit<Place, 'version'> & { readonly asked: string } {
  const asked = fields.text('name');
  const number = versionNumber(fields.text('version'));
  const name = knownName(asked);
  if (name === undefined) throw noVersion(asked, number);
  return { name, number, asked };
}

async function askedPlace(call: Call, { database }: Services): Promise<Place> {
  const { name, number, asked } = placeIn(call);
  return { name, number, version: await versionOf(database, name, number, asked) };
}

async function askedVersion(call: Call, services: Services): Promise<MlflowVersion> {
  return (await askedPlace(call, services)).version;
}

async function changeTag(call: Call, services: Services, tags: Readonly<Record<string, string | null>>): Promise<void> {
  const { name, number } = await askedPlace(call, services);
  await services.registry.update(numbered(name, number), { tags }, byWhom(call.identity));
}

async function moveToStage(call: Call, services: Services): Promise<MlflowVersion> {
  const { fields, identity } = call;
  const stage = parseStage(fields.text('stage'));
  const archives = fields.flag('archive_existing_versions');
  if (archives && stage !== 'Staging' && stage !== 'Production')
    throw new IngotError(
      'usage',
      `Model version transition cannot archive existing model versions because '${stage}' is not an Active stage. Valid stages are ['Staging', 'Production']`,
    );
  const { name, number, version } = await askedPlace(call, services);
  await services.registry.setStage(numbered(name, number), stage === 'None' ? null : stage, byWhom(identity));
  if (archives)
    for (const other of await othersInStage(services, version, stage))
      await services.registry.setStage(numbered(name, other), 'Archived', byWhom(identity));
  return askedVersion(call, services);
}

async function othersInStage(
  { database }: Services,
  { modelId, number }: MlflowVersion,
  stage: string,
): Promise<readonly number[]> {
  const rows = await database.index
    .selectFrom('versions')
    .select('number')
    .where('model_id', '=', modelId)
    .where('stage', '=', stage)
    .where('number', '<>', number)
    .where('status', '<>', 'deleted')
    .execute();
  return rows.map((row) => row.number);
}

const LONGEST_CHAIN = 20;

/** Where a client finds the files: of a logged model or another version, where these are; what is gone with the database lies in the store. */
async function downloadAddress(
  services: Services,
  version: MlflowVersion,
  { addressOf }: MlflowArtifacts,
): Promise<string> {
  let at = version;
  for (let step = 0; step < LONGEST_CHAIN; step += 1) {
    const { source, runId } = at;
    if (source === undefined) return addressOf(at);
    const logged = /^models:\/+(m-[0-9a-f]{32})\/?$/.exec(source)?.[1];
    if (logged !== undefined)
      return (
        (await unlessMissing(async () => (await loggedModelRow(services, logged)).artifact_location)) ?? addressOf(at)
      );
    const [, name, number] = /^models:\/+([^/]+)\/(\d+)$/.exec(source) ?? [];
    if (name === undefined) {
      const isHere = !/^(?:mlflow-artifacts|runs):/.test(source) || runId === null;
      return isHere || (await unlessMissing(() => runRow(services, runId))) !== undefined ? source : addressOf(at);
    }
    const next = await unlessMissing(() => versionOf(services.database, requireName(name), Number(number), name));
    if (next === undefined) return addressOf(at);
    at = next;
  }
  return addressOf(version);
}

async function unlessMissing<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (isIngotError(error, 'not-found', 'model-not-found', 'version-not-found')) return undefined;
    throw error;
  }
}
