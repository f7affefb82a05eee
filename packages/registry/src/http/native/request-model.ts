import { IngotError } from '@ingot/core/errors';
import {
  type ModelName,
  parseAlias,
  parseModelName,
  parseReference,
  type Reference,
  type Selector,
} from '@ingot/core/ref';
import type { FastifyRequest } from 'fastify';
import type { Target } from '../../access/identity.ts';

/** The model that a request's address names (`/models/{name}…`, `?ref=`); undefined when it names none. Throws `invalid-name`. */
export function modelOf(request: FastifyRequest): ModelName | undefined {
  const name = textOf(request.params, 'name');
  if (name !== undefined) return parseModelName(name);
  const ref = textOf(request.query, 'ref');
  return ref === undefined ? undefined : parseReference(ref).name;
}

/** What a route below `/models/{name}`, or with `?ref=`, acts on. */
export function modelTarget(request: FastifyRequest): Target {
  const model = modelOf(request);
  return model === undefined ? { kind: 'server' } : { kind: 'model', model };
}

/** What a route below `/models/{name}/aliases/{alias}` acts on. */
export function aliasTarget(request: FastifyRequest): Target {
  const model = modelOf(request);
  const alias = textOf(request.params, 'alias');
  if (model === undefined || alias === undefined) return { kind: 'server' };
  return { kind: 'model', model, alias: parseAlias(alias) };
}

/**
 * Reads which version a path means: `7`, `latest`, `1.2.0`, `@production`, `@sha256:…`.
 * @throws IngotError `invalid-name`, `invalid-reference`.
 */
export function versionReference(name: string, version: string): Reference {
  return parseReference(version.startsWith('@') ? `${name}${version}` : `${name}:${version}`);
}

/** The selector of a version by its number. */
export function numbered(number: number): Selector {
  return { kind: 'version', number };
}

function textOf(fields: unknown, key: string): string | undefined {
  if (typeof fields !== 'object' || fields === null || !Object.hasOwn(fields, key)) return undefined;
  const value: unknown = Reflect.get(fields, key);
  if (value === undefined || typeof value === 'string') return value;
  throw new IngotError('invalid-request', `"${key}" is given more than once`);
}
