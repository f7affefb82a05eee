import { IngotError } from '@ingot/core/errors';

/** Deepest shape a request may declare; numpy's own limit. */
export const MAX_RANK = 32;

/**
 * Counts the elements of a shape that came from outside.
 * @throws IngotError `invalid-request` when it is no list of whole numbers from 0 up, too deep, or beyond counting.
 */
export function elementCount(shape: unknown, tensorName: string): number {
  if (!isShape(shape)) {
    throw new IngotError(
      'invalid-request',
      `tensor "${tensorName}" needs "shape": a list of up to ${MAX_RANK} whole numbers from 0 up`,
    );
  }
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count))
    throw new IngotError(
      'invalid-request',
      `tensor "${tensorName}" declares an impossible shape [${shape.join(', ')}]`,
    );
  return count;
}

/** Says whether a value is a list of dimension sizes, none of them negative. */
export function isShape(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) && value.length <= MAX_RANK && value.every((size) => Number.isSafeInteger(size) && size >= 0)
  );
}

/** Says whether a shape fits a declared one, in which -1 stands for any size. */
export function shapeFits(shape: readonly number[], declared: readonly number[]): boolean {
  return (
    shape.length === declared.length && shape.every((size, axis) => declared[axis] === -1 || declared[axis] === size)
  );
}
