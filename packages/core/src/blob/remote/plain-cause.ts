import { redactAddress } from '../address.ts';

/**
 * Makes of a client's error one that holds its name, code and message only: the errors of clients carry whole requests,
 * with signatures in their addresses and tokens in their headers, and whoever logs a cause would log them.
 */
export function plainCause(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(redactAddress(String(error)));
  const plain = new Error(redactAddress(error.message));
  plain.name = error.name;
  if (error.stack !== undefined) plain.stack = redactAddress(error.stack);
  for (const name of ['code', 'statusCode', 'status']) {
    const value: unknown = Reflect.get(error, name);
    if (typeof value === 'string' || typeof value === 'number')
      Object.defineProperty(plain, name, { value, enumerable: true });
  }
  if (error.cause !== undefined) plain.cause = plainCause(error.cause);
  return plain;
}
