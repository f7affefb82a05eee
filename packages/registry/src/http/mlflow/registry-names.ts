import { IngotError, isIngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName, toModelName } from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import type { Target } from '../../access/identity.ts';
import { fieldsOf } from './mlflow-route.ts';

/** Tags in which a model or version keeps what only MLflow says of it; clients of MLflow do not see them as tags. */
export const RESERVED_TAGS = {
  /** The name as it was given, where Ingot's name is another: `My Model` is `my-model`. */
  displayName: 'mlflow.model.displayName',
  source: 'mlflow.version.source',
  runLink: 'mlflow.version.runLink',
  modelId: 'mlflow.version.modelId',
} as const;

const RESERVED: ReadonlySet<string> = new Set(Object.values(RESERVED_TAGS));

/** Says whether a tag is not the user's. */
export function isReserved(key: string): boolean {
  return RESERVED.has(key);
}

/** A name for a new model, and how it was given where that is another. */
export interface NewName {
  readonly name: ModelName;
  readonly displayName: string;
}

// What makes a name look like another one, or like none.
const UNSHOWABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff]/u;

/**
 * Reads the name of a model to be made: `My Model` becomes `my-model` and goes on being shown as it was given.
 * @throws IngotError `usage` for a slash or colon, `invalid-name` when no name can be made of it.
 */
export function newName(text: string): NewName {
  if (/[/:]/.test(text))
    throw new IngotError('usage', `Invalid model name '${text.slice(0, 200)}'. Names cannot contain '/' or ':'.`);
  if (UNSHOWABLE.test(text))
    throw new IngotError(
      'usage',
      'Invalid model name: it holds control characters, or some that turn the direction of writing.',
    );
  return { name: toModelName(text), displayName: text };
}

/** Reads the name of a model that should be there; undefined for what no model can be called. */
export function knownName(text: string): ModelName | undefined {
  try {
    return text.includes('/') ? parseModelName(text) : toModelName(text);
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) return undefined;
    throw error;
  }
}

/** As {@link knownName}. Throws `model-not-found`. */
export function requireName(text: string): ModelName {
  const name = knownName(text);
  if (name === undefined) throw noModel(text);
  return name;
}

/** What a request that names a model acts on; one that names none is the whole server's. */
export function modelTarget(request: FastifyRequest): Target {
  return targetOf(request, undefined);
}

/** As {@link modelTarget}, of one alias. */
export function aliasTarget(request: FastifyRequest): Target {
  return targetOf(request, 'alias');
}

function targetOf(request: FastifyRequest, aliasKey: 'alias' | undefined): Target {
  const fields = fieldsOf(request);
  const model = knownName(textOrEmpty(() => fields.optional('name')));
  const alias = aliasKey === undefined ? '' : textOrEmpty(() => fields.optional(aliasKey));
  if (model === undefined) return { kind: 'server' };
  return alias === '' ? { kind: 'model', model } : { kind: 'model', model, alias };
}

// What is no text is refused by the handler, with words of its own.
function textOrEmpty(read: () => string | undefined): string {
  try {
    return read() ?? '';
  } catch (error) {
    if (isIngotError(error, 'usage')) return '';
    throw error;
  }
}

/** The error of a model that is not there. */
export function noModel(name: string): IngotError {
  return new IngotError('model-not-found', `Registered Model with name=${name.slice(0, 500)} not found`);
}

/** The error of a version that is not there. */
export function noVersion(name: string, version: number): IngotError {
  return new IngotError(
    'version-not-found',
    `Model Version (name=${name.slice(0, 500)}, version=${version}) not found`,
  );
}

/** Reads a version number. Throws `usage`. */
export function versionNumber(text: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new IngotError('usage', `Parameter 'version' must be an integer, got '${text.slice(0, 100)}'.`);
}

const ALIAS = /^[\w-]*$/;

/**
 * Checks an alias as MLflow does.
 * @throws IngotError `usage`.
 */
export function checkAlias(alias: string): string {
  if (alias === '') throw new IngotError('usage', 'Registered model alias name cannot be empty.');
  if (!ALIAS.test(alias))
    throw new IngotError(
      'usage',
      `Invalid alias name: '${alias.slice(0, 300)}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
    );
  if (alias.length > 255)
    throw new IngotError(
      'usage',
      `Registered model alias name '${alias.slice(0, 100)}…' had length ${alias.length}, which exceeded length limit of 255`,
    );
  if (alias.toLowerCase() === 'latest')
    throw new IngotError('usage', "'latest' alias name (case insensitive) is reserved.");
  if (/^v\d+$/i.test(alias)) throw new IngotError('usage', `Version alias name '${alias}' is reserved.`);
  return alias;
}
