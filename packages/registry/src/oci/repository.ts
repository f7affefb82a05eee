/**
 * A *repository* holds manifests, tags and blobs under a name. One that is called like a model shows that model's
 * versions, too: names of models and of repositories are one set of names, and who may read the one may read the other.
 */

import { isIngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { Target } from '../access/identity.ts';
import { ociError } from './oci-error.ts';

/** A checked name of a repository: `team/churn`, `a/b/c`, or any name that a model can have. */
export type RepositoryName = string & { readonly __brand: 'RepositoryName' };

const MAX_NAME = 255;
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/**
 * Reads the name of a repository: as the distribution specification has it, of any depth, or as models are called.
 * @throws IngotError NAME_INVALID.
 */
export function parseRepository(text: string): RepositoryName {
  if (isRepository(text)) return text;
  throw ociError('NAME_INVALID', `"${text.slice(0, 100)}" is no name of a repository`, {
    hint: 'use small letters, digits, ".", "_" and "-", in parts with "/" between them',
  });
}

/** The same where it is known to be one, or may be none; undefined: it is none. */
export function repositoryOf(text: string): RepositoryName | undefined {
  return isRepository(text) ? text : undefined;
}

function isRepository(text: string): text is RepositoryName {
  if (text.length > MAX_NAME) return false;
  return NAME.test(text) || modelOf(text) !== undefined;
}

/** The model that a repository shows; undefined where no model can be called so. */
export function modelOf(repository: string): ModelName | undefined {
  try {
    return parseModelName(repository);
  } catch (error) {
    if (isIngotError(error, 'invalid-name')) return undefined;
    throw error;
  }
}

/** What a request to a repository acts on; `alias`: the one that it moves. */
export function repositoryTarget(repository: RepositoryName, alias?: string): Target {
  return { kind: 'model', model: repository, ...(alias !== undefined && { alias }) };
}
