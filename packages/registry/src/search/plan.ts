import { type Condition, conditionOf } from './checks.ts';
import type { Expression } from './expression.ts';
import { parseExpression } from './parse.ts';
import { parseSort, type SortKey } from './sort.ts';

/** What comes first where nobody says it. */
export const DEFAULT_SORT = 'published desc';

/** What a search came to, once read. */
export interface SearchPlan {
  readonly condition: Condition | undefined;
  readonly sort: readonly SortKey[];
  readonly showsDeleted: boolean;
}

/** A search as it was written. */
export interface PlanText {
  readonly filter?: string | undefined;
  readonly sort?: string | undefined;
  /** What `-7d` counts from. */
  readonly now: Date;
}

/** Reads a search. Throws `usage`. */
export function planOf({ filter, sort, now }: PlanText): SearchPlan {
  const expression = parseExpression(filter);
  return {
    condition: expression && conditionOf(expression, { now }),
    sort: parseSort(sort?.trim() ? sort : DEFAULT_SORT),
    showsDeleted: expression !== undefined && namesStatus(expression),
  };
}

function namesStatus(expression: Expression): boolean {
  if (expression.kind === 'test') return expression.key.toLowerCase() === 'status';
  if (expression.kind === 'word') return false;
  return expression.kind === 'not' ? namesStatus(expression.of) : expression.of.some(namesStatus);
}
