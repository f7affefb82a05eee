import { IngotError, isIngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import type { Services } from '../../services.ts';
import { checkNoClimbing, fullyDecoded } from '../../tracking/artifact-location.ts';
import { loggedModelRow } from '../../tracking/logged-models.ts';
import { runRow } from '../../tracking/runs.ts';
import { requireName, versionNumber } from './registry-names.ts';
import { versionAt, versionOf } from './registry-rows.ts';

/** What a client says a version is made from. */
export interface GivenSource {
  readonly source: string;
  readonly runId?: string | undefined;
  readonly modelId?: string | undefined;
}

/** What a version is made from, checked: a version of another model is named by its number. */
export interface CheckedSource {
  readonly source: string;
  readonly runId?: string | undefined;
  readonly modelId?: string | undefined;
}

/** Schemes that name no storage, but a place in somebody's machine or page. */
const NO_STORAGE: ReadonlySet<string> = new Set(['file', 'data', 'javascript', 'vbscript', 'blob', 'about', 'jar']);

const LOGGED_MODEL = /^models:\/+(m-[0-9a-f]{32})\/?$/;
const ANY_VERSION = /^models:\/+([^/@:]+)(?:\/([^/@]+)|@([^/@]+))\/?$/;
const OUR_ROUTE = /\/api\/2\.0\/mlflow-artifacts\/artifacts(?:\/|$)/;

/**
 * Checks where a version comes from, as MLflow does: nothing that climbs or lies in a machine's own files; artifacts of
 * this server only of the run or logged model that the client names; versions only of models that are there.
 * @throws IngotError `usage`, `model-not-found`, `version-not-found`.
 */
export async function checkSource(services: Services, given: GivenSource): Promise<CheckedSource> {
  const { source } = given;
  checkNoClimbing(source, () =>
    refused(
      source,
      'It climbs, or holds a query, a fragment, a backslash or a control character. Please provide an absolute path.',
    ),
  );
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
  if (scheme === undefined || NO_STORAGE.has(scheme))
    throw refused(
      source,
      'To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.',
    );
  if (scheme === 'models') return ofModels(services, given);
  if (scheme === 'runs') return ofRun(given);
  const isOurs = scheme === 'mlflow-artifacts' || (/^https?$/.test(scheme) && OUR_ROUTE.test(plain(source)));
  if (isOurs) await requireInside(services, given);
  return withRunOfModel(services, given);
}

async function ofModels(services: Services, given: GivenSource): Promise<CheckedSource> {
  const { source, runId, modelId } = given;
  if (/^models:\/\/[^/]/.test(source))
    throw refused(source, 'Registered model sources must use the active model registry.');
  const logged = LOGGED_MODEL.exec(source)?.[1];
  if (logged !== undefined) {
    if (modelId !== logged) throw mustContain(source, 'model_id');
    const { run_id } = await ownerOf(source, 'model_id', () => loggedModelRow(services, logged));
    return { source, modelId, runId: runId || (run_id ?? undefined) };
  }
  const version = await versionNamed(services, source);
  const same = (said: string | undefined, is: string | undefined): boolean => said === undefined || said === (is ?? '');
  if (!same(runId, version.runId ?? undefined) || !same(modelId, version.loggedModelId))
    throw refused(source, 'The run_id and model_id request parameters must match the referenced model version.');
  return {
    source: `models:/${version.model}/${version.number}`,
    runId: runId ?? version.runId ?? undefined,
    modelId: modelId ?? version.loggedModelId,
  };
}

async function versionNamed({ database }: Services, source: string) {
  const [, name, version, alias] = ANY_VERSION.exec(source) ?? [];
  if (name === undefined) throw mustContain(source, 'model_id');
  const given = plain(name);
  const model = requireName(given);
  if (version !== undefined) return versionOf(database, model, versionNumber(version), given);
  const found = await versionAt(database, parseModelName(model), alias ?? '');
  if (found === undefined) throw new IngotError('alias-not-found', `Registered model alias ${alias ?? ''} not found.`);
  return found;
}

function ofRun(given: GivenSource): CheckedSource {
  const { source, runId } = given;
  const named = /^runs:\/([^/]+)/.exec(source)?.[1];
  if (named === undefined || runId !== named) throw mustContain(source, 'run_id');
  return given;
}

async function requireInside(services: Services, { source, runId, modelId }: GivenSource): Promise<void> {
  if (modelId) {
    const { artifact_location: root } = await ownerOf(source, 'model_id', () => loggedModelRow(services, modelId));
    if (!isInside(source, root)) throw mustContain(source, 'model_id');
    return;
  }
  if (!runId) throw mustContain(source, 'run_id');
  const { artifact_uri: root } = await ownerOf(source, 'run_id', () => runRow(services, runId));
  if (!isInside(source, root)) throw mustContain(source, 'run_id');
}

async function withRunOfModel(services: Services, given: GivenSource): Promise<CheckedSource> {
  const { modelId, runId } = given;
  if (!modelId || runId) return given;
  const row = await ownerOf(given.source, 'model_id', () => loggedModelRow(services, modelId));
  return { ...given, runId: row.run_id ?? undefined };
}

async function ownerOf<Row>(source: string, key: string, find: () => Promise<Row>): Promise<Row> {
  try {
    return await find();
  } catch (error) {
    if (isIngotError(error, 'not-found')) throw mustContain(source, key);
    throw error;
  }
}

function isInside(address: string, root: string): boolean {
  const [place, parts] = partsOf(address);
  const [rootPlace, rootParts] = partsOf(root);
  return place === rootPlace && rootParts.length > 0 && rootParts.every((part, at) => parts[at] === part);
}

function partsOf(address: string): readonly [string, readonly string[]] {
  const [, scheme = '', authority = '', path = ''] = /^([^:]*):(?:\/\/([^/]*))?(.*)$/s.exec(address) ?? [];
  const parts = path.split('/').filter((part) => part !== '');
  return [`${scheme.toLowerCase()}://${authority.toLowerCase()}`, parts.map(plain)];
}

function plain(text: string): string {
  return fullyDecoded(text, () => refused(text, 'It is percent-encoded too often.'));
}

function refused(source: string, why: string): IngotError {
  return new IngotError('usage', `Invalid model version source: '${source.slice(0, 500)}'. ${why}`);
}

function mustContain(source: string, key: string): IngotError {
  return refused(source, `The ${key} request parameter must identify the resource that contains the source.`);
}
