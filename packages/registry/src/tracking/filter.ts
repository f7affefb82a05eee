/**
 * The search language of MLflow, and more: comparisons joined by `AND`, and also `OR`, `NOT` and parentheses.
 * `metrics.auc > 0.9 AND (tags."data set" = 'x' OR params.depth IN ('3', '4')) AND NOT tags.broken IS NOT NULL`.
 */

import { EXPRESSION_LIMITS, type Expression, type Join, type Operator, type Value } from '../search/expression.ts';
import { parseExpression } from '../search/parse.ts';

export type { Operator } from '../search/expression.ts';

/** A value as it was written: a text in quotes, or a number. */
export type FilterValue = string | number;

/** One comparison: `metrics.auc > 0.9` has entity `metrics` and key `auc`; a bare `name` has no entity. */
export interface Test {
  readonly kind: 'test';
  readonly entity: string | undefined;
  readonly key: string;
  readonly operator: Operator;
  /** None for `is null`, several for `in`, else one. */
  readonly values: readonly FilterValue[];
}

/** A filter as it was understood. */
export type Condition = Join<Test>;

/** Longest filter, in characters, deepest nesting and most comparisons. */
export const FILTER_LIMITS = EXPRESSION_LIMITS;

const MLFLOW = { isStrict: true, complaint: 'Invalid clause(s) in filter string: it is not understood' } as const;

/**
 * Reads a filter; an empty one lets everything through and gives undefined.
 * @throws IngotError `usage` saying what was not understood, and where.
 */
export function parseFilter(text: string | undefined): Condition | undefined {
  const expression = parseExpression(text, MLFLOW);
  return expression && conditionOf(expression);
}

function conditionOf(expression: Expression): Condition {
  switch (expression.kind) {
    case 'all':
    case 'any':
      return { kind: expression.kind, of: expression.of.map(conditionOf) };
    case 'not':
      return { kind: 'not', of: conditionOf(expression.of) };
    case 'test': {
      const { entity, key, operator, values } = expression;
      return { kind: 'test', entity, key, operator, values: values.map(filterValueOf) };
    }
    case 'word':
      throw new TypeError('a strict filter has no words');
  }
}

function filterValueOf({ text, number }: Value): FilterValue {
  return number ?? text;
}
