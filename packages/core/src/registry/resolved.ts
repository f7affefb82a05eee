import type { Reference } from '../ref.ts';
import { parseModelName } from '../ref.ts';
import { compact, type Fields } from './fields.ts';
import { parseRecipeRef } from './model-fold.ts';
import type { ResolvedVersion } from './registry.ts';

/** Reads what a reference was answered, where that was written as JSON. Throws `integrity`. */
export function parseResolved(fields: Fields, reference: Reference): ResolvedVersion {
  return compact({
    reference,
    model: parseModelName(fields.text('model')),
    modelId: fields.text('modelId'),
    number: fields.positive('number'),
    label: fields.optionalText('label'),
    manifest: fields.digest('manifest'),
    recipe: parseRecipeRef(fields.inner('recipe')),
    seq: fields.count('seq'),
  });
}
