import type { BlobStore } from '../blob-store.ts';

/**
 * Stands for a storage that is not to be asked: every operation fails with the error that `refusal` gives, and nothing is
 * sent. Address and capabilities stay, so that what is remembered of the storage is found.
 *
 * @example
 * const store = outOfReach(blobs, () => new IngotError('unavailable', 'INGOT_OFFLINE keeps from asking the store'));
 */
export function outOfReach({ address, capabilities }: BlobStore, refusal: () => Error): BlobStore {
  const refuse = async (): Promise<never> => {
    throw refusal();
  };
  // biome-ignore lint/correctness/useYield: it ends with its first step
  const refuseStream = async function* (): AsyncGenerator<never> {
    throw refusal();
  };
  return {
    address,
    capabilities,
    stat: refuse,
    read: refuseStream,
    write: refuse,
    delete: refuse,
    list: refuseStream,
  };
}
