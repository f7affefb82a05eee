/**
 * A *guessed* signature was read from a fitted estimator without its training data: which features there are is known,
 * their types are a guess and their names may be made up. Such a signature must not refuse what the model itself takes.
 */

import { IngotError } from '@ingot/core/errors';
import type { Feature, Signature } from '@ingot/core/signature';
import { type ColumnDecoder, type RawRow, columnDecoder } from './column.ts';
import { inferredColumn } from './untyped.ts';

/** Says whether a signature is a guess: nobody wrote it down, and only part of it is known. */
export function isGuessed(signature: Signature | undefined): boolean {
  return signature?.partial === true && signature.origin === 'captured';
}

/** Decodes a feature by its guessed type, else by its values. */
export function guessedColumn(feature: Feature): ColumnDecoder {
  const guess = columnDecoder(feature);
  if (feature.type === 'tensor' || feature.type === 'categorical') return guess;
  return {
    feature,
    accepts: (value) => guess.accepts(value) || isPlain(value),
    decode: (rows) => guess.decode(rows) ?? followed(feature, rows),
  };
}

function followed({ name }: Feature, rows: readonly RawRow[]) {
  return rows.every((row) => isPlain(row[name])) ? inferredColumn(name, rows) : undefined;
}

/** An estimator that says nothing about its columns takes numbers, true and false; text would need to be told. */
function isPlain(value: unknown): boolean {
  return value === null || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
}

/**
 * Gives rows the names of a guessed signature: bare lists in the order of its features. For an estimator that knows only
 * how many columns it takes, objects with that many values in the order of the first row's names.
 * @throws IngotError `signature-mismatch` for a list of the wrong length.
 */
export function namedRows(rows: readonly unknown[], features: readonly Feature[]): readonly unknown[] {
  const [only] = features;
  if (features.length === 1 && only?.type === 'tensor') return rows.map(matrixRow(only, rows[0]));
  if (features.some(({ type }) => type === 'tensor')) return rows;
  return rows.map((row, index) => (Array.isArray(row) ? namedRow(row, index, features) : row));
}

function namedRow(row: readonly unknown[], index: number, features: readonly Feature[]): RawRow {
  if (row.length !== features.length) {
    const names = features.slice(0, 20).map(({ name }) => name);
    throw new IngotError(
      'signature-mismatch',
      `row ${index} has ${row.length} values, the model takes ${features.length}: ${names.join(', ')}`,
    );
  }
  return Object.fromEntries(features.map(({ name }, place) => [name, row[place]]));
}

function matrixRow({ name, shape }: Feature, first: unknown): (row: unknown) => unknown {
  const names = isObject(first) && !Object.hasOwn(first, name) ? Object.keys(first) : undefined;
  if (names === undefined || shape?.length !== 2 || shape[1] !== names.length) {
    return (row) => (isObject(row) ? row : { [name]: row });
  }
  return (row) =>
    isObject(row) && Object.keys(row).length === names.length && names.every((key) => Object.hasOwn(row, key))
      ? { [name]: names.map((key) => row[key]) }
      : row;
}

function isObject(value: unknown): value is RawRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
