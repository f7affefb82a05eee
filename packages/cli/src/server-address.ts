import type { StoreAddress } from './address.ts';

/** Whether an address may be that of a registry server. */
export function mayBeServer({ text }: StoreAddress): boolean {
  return /^https?:\/\//i.test(text);
}
