import { IngotError } from '@ingot/core/errors';
import type { ModelName, Reference } from '@ingot/core/ref';
import { formatReference, parseReference } from '@ingot/core/ref';

/**
 * Reads a reference to a version of a model that is already named: besides `churn:7` also `7` and `candidate`.
 * @throws IngotError `usage` when it names another model.
 */
export function parseVersionOf(name: ModelName, text: string): Reference {
  const reference = completed(name, text);
  if (reference.name === name) return reference;
  throw new IngotError('usage', `"${text}" is a version of "${reference.name}", not of "${name}"`, {
    nearest: formatReference({ name, selector: reference.selector }),
  });
}

function completed(name: ModelName, text: string): Reference {
  if (/^\d+$/.test(text)) return parseReference(`${name}:${text}`);
  if (/[:@]/.test(text) || text === name) return parseReference(text);
  return parseReference(text === 'latest' ? name : `${name}@${text}`);
}
