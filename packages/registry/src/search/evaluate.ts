import type { Check, Condition, Predicate, WordCheck } from './checks.ts';
import { folded } from './checks.ts';
import { comparePoints } from './compare-points.ts';
import type { Facts } from './facts.ts';
import { matches } from './pattern.ts';

/**
 * Says whether a condition is true of a version; undefined: what is known of it does not tell.
 * @example
 * const condition = conditionOf(parseExpression('metrics.auc >= 0.95'), { now });
 * evaluate(condition, factsOf(record));
 */
export function evaluate(condition: Condition, facts: Facts): boolean | undefined {
  switch (condition.kind) {
    case 'check':
      return checked(condition, facts);
    case 'word':
      return spoken(condition, facts);
    case 'not': {
      const inner = evaluate(condition.of, facts);
      return inner === undefined ? undefined : !inner;
    }
    case 'all':
      return decided(condition.of, facts, false);
    case 'any':
      return decided(condition.of, facts, true);
  }
}

/** One part that is `deciding` decides; without, one that is not known leaves it open. */
function decided(of: readonly Condition[], facts: Facts, deciding: boolean): boolean | undefined {
  let isOpen = false;
  for (const part of of) {
    const outcome = evaluate(part, facts);
    if (outcome === deciding) return deciding;
    isOpen ||= outcome === undefined;
  }
  return isOpen ? undefined : !deciding;
}

function checked({ sources, predicate, isNegated }: Check, facts: Facts): boolean | undefined {
  let isOpen = false;
  for (const source of sources) {
    const values = facts.values(source);
    if (values?.some((value) => judge(predicate, value)) === true) return !isNegated;
    isOpen ||= values === undefined;
  }
  return isOpen ? undefined : isNegated;
}

function spoken({ text }: WordCheck, facts: Facts): boolean | undefined {
  return facts.texts?.some((each) => folded(each).includes(text));
}

function judge(predicate: Predicate, value: string | number): boolean {
  switch (predicate.is) {
    case 'there':
      return true;
    case 'compared':
      return compared(compare(value, predicate.value), predicate.operator);
    case 'between':
      return compare(value, predicate.from) >= 0 && compare(value, predicate.before) < 0;
    case 'like':
      return predicate.ignoresCase
        ? matches(folded(String(value)), folded(predicate.pattern))
        : matches(String(value), predicate.pattern);
    case 'any of':
      return predicate.of.some((each) => judge(each, value));
    case 'none of':
      return !predicate.of.some((each) => judge(each, value));
  }
}

function compared(order: number, operator: '=' | '!=' | '<' | '<=' | '>' | '>='): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** Numbers by size, texts as their bytes sort. */
export function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : Number(a > b);
  return comparePoints(String(a), String(b));
}
