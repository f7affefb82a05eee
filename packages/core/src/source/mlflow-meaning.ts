import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import type { MlflowServer } from './mlflow-server.ts';
import type { PlainAddress } from './plain-address.ts';

/** What an address of MLflow means now. */
export interface MlflowMeaning {
  /** What the model is called. */
  readonly name: string;
  /** Number of a registered version. */
  readonly version?: number;
  /** Where its files are: `mlflow-artifacts:/…`, `s3://…`. */
  readonly artifacts: string;
  readonly modifiedAt: Date;
  /** For people: why this one. */
  readonly because: string;
  /** Whether the files can change without the meaning doing so: those of a run. */
  readonly isOpen: boolean;
}

const STAGES = ['None', 'Staging', 'Production', 'Archived'];

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a server what an address means.
 * @throws IngotError `path-not-found`, `usage`, `forbidden`, `unavailable`.
 */
export async function meaningOf(
  { scheme, parts, text }: PlainAddress,
  server: MlflowServer,
  options: CallOptions = {},
): Promise<MlflowMeaning> {
  const [first = '', ...rest] = parts.map(({ literal }) => literal);
  if (scheme === 'runs') return await ofRun(first, rest.join('/'), server, options);
  if (rest.length === 0 && /^m-[0-9a-f]{32}$/.test(first)) return await ofLoggedModel(first, server, options);
  const version = await versionOf([first, ...rest], text, server, options);
  const { name, number } = version;
  const answer = await server.get('model-versions/get-download-uri', { name, version: String(number) }, options);
  return {
    name,
    version: number,
    artifacts: textIn(answer, 'artifact_uri'),
    modifiedAt: version.modifiedAt,
    because: version.because,
    isOpen: false,
  };
}

interface FoundVersion {
  readonly name: string;
  readonly number: number;
  readonly modifiedAt: Date;
  readonly because: string;
}

async function versionOf(
  names: readonly string[],
  text: string,
  server: MlflowServer,
  options: CallOptions,
): Promise<FoundVersion> {
  const last = names.at(-1) ?? '';
  const at = last.lastIndexOf('@');
  if (at > 0) {
    const name = [...names.slice(0, -1), last.slice(0, at)].join('/');
    const alias = last.slice(at + 1);
    const answer = await server.get('registered-models/alias', { name, alias }, options);
    return found(name, answer.model_version, `the version that @${alias} names`);
  }
  const name = names.slice(0, -1).join('/');
  if (name === '')
    throw new IngotError('usage', `"${text}" names a model and no version of it`, {
      operation: 'source',
      hint: `models:/${last}/latest, models:/${last}/1, or models:/${last}@ALIAS`,
    });
  if (/^\d+$/.test(last)) {
    const answer = await server.get('model-versions/get', { name, version: last }, options);
    return found(name, answer.model_version, 'the version of this number');
  }
  const stage = STAGES.find((known) => known.toLowerCase() === last.toLowerCase());
  const isLatest = last.toLowerCase() === 'latest';
  if (stage === undefined && !isLatest)
    throw new IngotError('usage', `"${text}": "${last}" is no version, no stage and not latest`, {
      operation: 'source',
      hint: `models:/${name}@${last} when it is an alias`,
    });
  const body = { name, ...(stage !== undefined && { stages: [stage] }) };
  const answer = await server.post('registered-models/get-latest-versions', body, options);
  const versions = listIn(answer, 'model_versions').map((one) => found(name, one, `the newest in ${last}`));
  const newest = versions.sort((a, b) => b.number - a.number)[0];
  if (newest !== undefined) return newest;
  throw new IngotError('path-not-found', `no version of "${name}" is in ${last} at ${server.address}`, {
    operation: 'source',
  });
}

function found(name: string, version: JsonValue | undefined, because: string): FoundVersion {
  const facts = isJsonObject(version) ? version : {};
  const number = Number(facts.version);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new IngotError('path-not-found', `the server names no version of "${name}"`, { operation: 'source' });
  return { name, number, modifiedAt: timeOf(facts.creation_timestamp), because };
}

async function ofLoggedModel(id: string, server: MlflowServer, options: CallOptions): Promise<MlflowMeaning> {
  const { model } = await server.get(`logged-models/${id}`, {}, options);
  return loggedMeaning(isJsonObject(model) ? model : {}, 'the logged model of this id');
}

function loggedMeaning(model: JsonObject, because: string): MlflowMeaning {
  const info = isJsonObject(model.info) ? model.info : {};
  return {
    name: textIn(info, 'name'),
    artifacts: textIn(info, 'artifact_uri'),
    modifiedAt: timeOf(info.last_updated_timestamp_ms),
    because,
    isOpen: false,
  };
}

async function ofRun(id: string, path: string, server: MlflowServer, options: CallOptions): Promise<MlflowMeaning> {
  const { run } = await server.get('runs/get', { run_id: id }, options);
  const info = isJsonObject(run) && isJsonObject(run.info) ? run.info : {};
  const logged = path === '' ? undefined : await loggedByRun(id, path, info, server, options);
  if (logged !== undefined) return logged;
  const root = textIn(info, 'artifact_uri').replace(/\/+$/, '');
  return {
    name: path.split('/').at(-1) || (typeof info.run_name === 'string' ? info.run_name : id),
    artifacts: path === '' ? root : `${root}/${path}`,
    modifiedAt: timeOf(info.end_time ?? info.start_time),
    because: 'the files of this run',
    isOpen: true,
  };
}

/** Since MLflow 3 a model that a run has logged lies beside the run, under a name of its own. */
async function loggedByRun(
  id: string,
  path: string,
  info: JsonObject,
  server: MlflowServer,
  options: CallOptions,
): Promise<MlflowMeaning | undefined> {
  if (path.includes("'") || typeof info.experiment_id !== 'string') return undefined;
  const body = { experiment_ids: [info.experiment_id], filter: `name = '${path}' AND source_run_id = '${id}'` };
  // Servers before MLflow 3 know no logged models: the files of the run are all there is.
  const answer = await server.post('logged-models/search', body, options).catch((error: unknown) => {
    if (error instanceof IngotError && error.code === 'path-not-found') return {};
    throw error;
  });
  const [newest] = listIn(answer, 'models').filter(isJsonObject);
  return newest && loggedMeaning(newest, 'the model that this run has logged under the name');
}

function listIn(answer: JsonObject, key: string): readonly JsonValue[] {
  const value = answer[key];
  return Array.isArray(value) ? value : [];
}

function textIn(answer: JsonObject, key: string): string {
  const value = answer[key];
  if (typeof value === 'string' && value !== '') return value;
  throw new IngotError('unavailable', `the MLflow server gives no ${key}`, { operation: 'source', retryable: false });
}

function timeOf(value: JsonValue | undefined): Date {
  return new Date(typeof value === 'number' || typeof value === 'string' ? Number(value) : 0);
}
