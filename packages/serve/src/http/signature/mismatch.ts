import { IngotError } from '@ingot/core/errors';
import type { JsonValue } from '@ingot/core/json';
import { nearest } from '@ingot/core/nearest';
import { describeValue } from '../describe-value.ts';

/** A value that a feature does not take. */
export interface WrongValue {
  readonly feature: string;
  /** 0-based; left out when a whole tensor is wrong. */
  readonly row?: number;
  readonly value: string;
  readonly expected: string;
  /** The allowed values of a categorical feature. */
  readonly allowed?: readonly (string | number | boolean)[];
}

/** How a request disagrees with a signature. */
export interface Disagreement {
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly wrong: readonly WrongValue[];
}

/** Wrong values beyond this many are counted, not listed. */
export const LISTED = 20;

/**
 * Makes the `signature-mismatch` error that names every missing, extra and wrong feature and shows one valid example.
 * @param hint What to do about it, when something can be said.
 * @param features Names that the signature knows, to guess what an extra one meant.
 */
export function signatureMismatch(
  model: string,
  found: Disagreement,
  features: readonly string[],
  example?: JsonValue,
  hint?: string,
): IngotError {
  const guessed = found.extra[0] === undefined ? undefined : nearest(found.extra[0], features);
  return new IngotError(
    'signature-mismatch',
    `the request does not fit what ${model} takes: ${inWords(found, guessed)}`,
    {
      details: {
        missing: found.missing.slice(0, LISTED),
        extra: found.extra.slice(0, LISTED),
        wrong: found.wrong.slice(0, LISTED).map((wrong) => ({ ...wrong })),
        ...(example === undefined ? {} : { example }),
      },
      ...(guessed === undefined ? {} : { nearest: guessed }),
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

function inWords(found: Disagreement, guessed: string | undefined): string {
  const [wrong] = found.wrong;
  const parts = [
    found.missing.length > 0 ? `missing ${names(found.missing)}` : '',
    found.extra.length > 0
      ? `unknown ${names(found.extra)}${guessed === undefined ? '' : ` (did you mean "${guessed}"?)`}`
      : '',
    wrong === undefined
      ? ''
      : `${wrong.row === undefined ? '' : `row ${wrong.row}, `}"${wrong.feature}" is ${wrong.value}, expected ${wrong.expected}`,
    found.wrong.length > 1 ? `and ${found.wrong.length - 1} more wrong values` : '',
  ];
  return parts.filter((part) => part !== '').join('; ');
}

function names(list: readonly string[]): string {
  const shown = list
    .slice(0, 5)
    .map((name) => describeValue(name))
    .join(', ');
  return list.length > 5 ? `${shown} and ${list.length - 5} more` : shown;
}
