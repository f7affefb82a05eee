import type { IngotError } from './errors.ts';
import type { Problem } from './package/package.ts';

/** How many names a warning lists. */
const NAMES_TOLD = 3;

/** Warns that a model which is made now is easily taken for one that is there; the registry says for which. */
export function alikeProblems(name: string, { details }: Pick<IngotError, 'details'>): readonly Problem[] {
  const alike = Array.isArray(details.alike) ? details.alike.map(String) : [];
  if (alike.length === 0) return [];
  const told = alike.slice(0, NAMES_TOLD).map((other) => `"${other}"`);
  const more = alike.length > NAMES_TOLD ? ` and ${alike.length - NAMES_TOLD} more` : '';
  return [
    {
      severity: 'warning',
      rule: 'name.alike',
      message: `"${name}" is a new model, easily taken for ${told.join(', ')}${more}`,
      fix: `if the same model is meant, push with --name ${alike[0]} and remove this one: ingot rm ${name}`,
    },
  ];
}
