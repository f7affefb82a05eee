import { redactAddress } from '@ingot/core/blob/address';
import { isIngotError } from '@ingot/core/errors';
import type { PromotionEnd } from '@ingot/core/promote-bring';
import type { OpenedStore } from './open.ts';

/** A store as others are told of it: its address without secrets, and its id where that can be had. */
export async function registryEnd(
  { registry, contents, address, format }: OpenedStore,
  { signal }: { readonly signal: AbortSignal },
): Promise<PromotionEnd> {
  const end = { registry, contents, address: redactAddress(address) };
  try {
    return { ...end, store: (await format.open({ signal })).id };
  } catch (error) {
    // A server need not hand out the store's own file.
    if (isIngotError(error, 'forbidden', 'unauthenticated', 'not-found', 'store-not-found', 'content-not-found'))
      return end;
    throw error;
  }
}
