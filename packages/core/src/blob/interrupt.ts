import { IngotError } from '../errors.ts';

/**
 * Stops here when the signal has fired.
 * @throws IngotError `interrupted`, with the signal's reason as its cause.
 */
export function stopIfInterrupted(signal: AbortSignal | undefined, operation: string): void {
  if (signal?.aborted !== true) return;
  throw new IngotError('interrupted', `${operation} was interrupted`, { operation, cause: signal.reason });
}
