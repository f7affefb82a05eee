import { IngotError, isIngotError } from '@ingot/core/errors';
import type { ResolvedModel } from '@ingot/core/serving/runtime';
import type { Slot } from './slot.ts';

/** What tells a version from every other one, also from one of a model deleted and made again. */
export function keyOf(resolved: ResolvedModel): string {
  return `${resolved.modelId}:${versionOf(resolved)}@${resolved.digest}`;
}

/** What a version is called: its number, or the text that a plain file has in its place. */
export function versionOf({ version, number }: ResolvedModel): string {
  return version ?? String(number);
}

/** `churn:7`. */
export function nameOf({ resolved }: Slot): string {
  return `${resolved.model}:${versionOf(resolved)}`;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error of a request for a version that is not loaded. */
export function notReady(slot: Slot): IngotError {
  const { state, reason } = slot.served;
  const why = reason ?? (state === 'LOADING' ? 'it is loading' : state.toLowerCase());
  return new IngotError(
    'model-not-ready',
    why.startsWith(nameOf(slot)) ? why : `${nameOf(slot)} is not loaded: ${why}`,
  );
}

/** Why a version does not load, as the error of a request that waited for it. */
export function asNotReady(error: unknown): IngotError {
  const hint = isIngotError(error) ? error.hint : undefined;
  return new IngotError('model-not-ready', messageOf(error), { cause: error, ...(hint !== undefined && { hint }) });
}
