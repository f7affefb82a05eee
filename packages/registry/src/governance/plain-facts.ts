import type { Operator, Test } from '../search/expression.ts';
import { folded } from '../search/checks.ts';
import { matches } from '../search/pattern.ts';
import type { Fact } from './facts.ts';

/** Compares facts whose type nobody declared: as numbers where both are numbers, else as texts. */
export function comparedPlainly({ operator, values }: Test, facts: readonly Fact[]): boolean {
  if (operator === 'is null') return facts.length === 0;
  if (operator === 'is not null') return facts.length > 0;
  // What is not known passes no comparison, not even one with "not".
  if (facts.length === 0) return false;
  if (operator === 'in') return values.some(({ text }) => facts.some((fact) => compare(fact, text) === 0));
  if (operator === 'not in') return values.every(({ text }) => facts.every((fact) => compare(fact, text) !== 0));
  const [value] = values;
  if (value === undefined) return false;
  if (operator === '!=') return facts.every((fact) => compare(fact, value.text) !== 0);
  return facts.some((fact) => holdsFor(fact, operator, value.text));
}

function holdsFor(fact: Fact, operator: Operator, wanted: string): boolean {
  if (operator === 'like') return matches(String(fact), wanted);
  if (operator === 'ilike') return matches(folded(String(fact)), folded(wanted));
  const order = compare(fact, wanted);
  if (order === undefined) return false;
  const isOf: Readonly<Partial<Record<Operator, boolean>>> = {
    '=': order === 0,
    '<': order < 0,
    '<=': order <= 0,
    '>': order > 0,
    '>=': order >= 0,
  };
  return isOf[operator] === true;
}

/** Undefined where a number is compared with something else. */
function compare(fact: Fact, wanted: string): number | undefined {
  if (typeof fact === 'boolean') return String(fact) === wanted.toLowerCase() ? 0 : 1;
  const number = wanted.trim() === '' ? Number.NaN : Number(wanted);
  const given = typeof fact === 'number' ? fact : fact.trim() === '' ? Number.NaN : Number(fact);
  if (!Number.isNaN(number) && !Number.isNaN(given)) return given - number;
  if (typeof fact === 'number') return undefined;
  return fact === wanted ? 0 : fact < wanted ? -1 : 1;
}
