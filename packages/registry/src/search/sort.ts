import { IngotError } from '@ingot/core/errors';
import { compare } from './evaluate.ts';
import type { Facts } from './facts.ts';
import { type Field, fieldOf, type Source } from './fields.ts';
import { tokensOf } from './tokens.ts';

/** What versions are ordered by; one without a value comes last, whatever the direction. */
export interface SortKey {
  readonly field: Field;
  /** Where its values lie: the first that a version has a value of counts. */
  readonly sources: readonly Source[];
  readonly descending: boolean;
}

const MOST_KEYS = 5;
const LONGEST = 1000;

/**
 * Reads an order: `metrics.auc desc, published`; `-metrics.auc` is the same as `metrics.auc desc`.
 * @throws IngotError `usage` for what is no field, or one of which a version has several values.
 */
export function parseSort(text: string | undefined): readonly SortKey[] {
  if (text === undefined || text.trim() === '') return [];
  if (text.length > LONGEST) throw wrong(text, 0);
  const tokens = tokensOf(text);
  const keys: SortKey[] = [];
  for (let next = 0; ; ) {
    const token = tokens[next];
    if (token?.kind !== 'name' || keys.length >= MOST_KEYS) throw wrong(text, token?.at ?? 0);
    const [first = { text: '', isQuoted: false }, ...rest] = token.parts;
    const isTurned = !first.isQuoted && first.text.startsWith('-');
    const names = [isTurned ? first.text.slice(1) : first.text, ...rest.map((part) => part.text)];
    const [head = '', ...tail] = names;
    const field = fieldOf(
      tail.length === 0
        ? { entity: undefined, key: head, at: token.at }
        : { entity: head, key: tail.join('.'), at: token.at },
    );
    const direction = tokens[next + 1]?.kind === 'name' ? tokens[next + 1]?.text.toLowerCase() : undefined;
    if (direction !== undefined && direction !== 'asc' && direction !== 'desc')
      throw wrong(text, tokens[next + 1]?.at ?? 0);
    keys.push({ field, sources: sourcesOf(field), descending: (direction === 'desc') !== isTurned });
    next += direction === undefined ? 1 : 2;
    const after = tokens[next];
    if (after?.kind === 'end') return keys;
    if (after?.kind !== 'sign' || after.text !== ',') throw wrong(text, after?.at ?? 0);
    next += 1;
  }
}

/** Numbers of params come before texts; pins of packages are ordered as versions. */
function sourcesOf({ name, sources, isSet }: Field): readonly Source[] {
  const [source] = sources;
  if (isSet || source === undefined)
    throw new IngotError('usage', `versions are not sorted by ${name}: one may have several`, {
      hint: '--sort "metrics.auc desc, published"',
    });
  if (source.kind === 'scalar') return [source];
  if (source.rows === 'packages') return [{ ...source, column: 'sort_key' }];
  return source.rows === 'params' ? [{ ...source, column: 'number_value' }, source] : [source];
}

function wrong(text: string, at: number): IngotError {
  const near = text.slice(at, at + 40);
  return new IngotError('usage', `the order is not understood ${near === '' ? 'at its end' : `at "${near}"`}`, {
    details: { at },
    hint: '--sort "metrics.auc desc, published"',
  });
}

/** A version with what it is ordered by. */
export interface Sortable {
  readonly modelId: string;
  readonly number: number;
  readonly facts: Facts;
}

/** Compares versions in memory as the database orders them. */
export function compareBy(keys: readonly SortKey[]): (a: Sortable, b: Sortable) => number {
  const turned = keys.at(-1)?.descending === true ? -1 : 1;
  return (a, b) => {
    for (const { sources, descending } of keys)
      for (const source of sources) {
        const [left, right] = [a.facts.values(source)?.[0], b.facts.values(source)?.[0]];
        const order =
          left === undefined || right === undefined
            ? Number(left === undefined) - Number(right === undefined)
            : compare(left, right) * (descending ? -1 : 1);
        if (order !== 0) return order;
      }
    return turned * (compare(a.modelId, b.modelId) || a.number - b.number);
  };
}
