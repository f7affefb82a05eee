/**
 * An *expression* is a search as it was written: *tests* joined by AND, OR and NOT. A test compares a *field*
 * (`metrics.auc`, `stage`) with values; a *word* is looked for in all that people have written of a version.
 */

/** How a test compares. */
export type Operator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'like'
  | 'ilike'
  | 'in'
  | 'not in'
  | 'is null'
  | 'is not null';

/** A value as it was written. */
export interface Value {
  readonly text: string;
  /** Whether it stood in quotes; what did not may be a number, a date or a plain word. */
  readonly isQuoted: boolean;
  /** The number that it is, where it is one and stood without quotes. */
  readonly number?: number;
  /** Place of its first character in the source, from 0. */
  readonly at: number;
}

/** One comparison: `metrics.auc > 0.9` has entity `metrics` and key `auc`; a bare `name` has no entity. */
export interface Test {
  readonly kind: 'test';
  readonly entity: string | undefined;
  readonly key: string;
  readonly operator: Operator;
  /** None for `is null`, several for `in`, else one. */
  readonly values: readonly Value[];
  /** Place of the field in the source, from 0. */
  readonly at: number;
}

/** A word, or several in quotes, that stands somewhere in what is said of a version. */
export interface Word {
  readonly kind: 'word';
  readonly text: string;
  readonly at: number;
}

/** A search as it was understood. */
export type Expression = Join<Test | Word>;

/** Leaves joined by AND (`all`), OR (`any`) and NOT. */
export type Join<Leaf> =
  | Leaf
  | { readonly kind: 'all' | 'any'; readonly of: readonly Join<Leaf>[] }
  | { readonly kind: 'not'; readonly of: Join<Leaf> };

/** Longest source in characters, deepest nesting, most tests and words, and most values of all lists together. */
export const EXPRESSION_LIMITS = { characters: 65_536, depth: 32, tests: 200, values: 1000 } as const;
