import type { BlobStore } from '../blob/blob-store.ts';
import { blobPlace } from './blob-place.ts';
import { localPlace } from './local-place.ts';
import { MlflowPlace } from './mlflow-place.ts';
import type { MlflowEnv } from './mlflow-server.ts';
import type { PlainAddress } from './plain-address.ts';
import type { SourcePlace } from './place.ts';

/** Opens the storage that an address names; no request is sent. */
export type OpenStorage = (address: string) => Promise<BlobStore>;

/** Opens the directory or bucket of an address. */
export async function openPlace(address: PlainAddress, open: OpenStorage, env: MlflowEnv = {}): Promise<SourcePlace> {
  const { scheme, root } = address;
  if (scheme === 'models' || scheme === 'runs') return await MlflowPlace.open(address, open, env);
  return scheme === 'file' ? localPlace(root) : blobPlace(await open(root));
}
