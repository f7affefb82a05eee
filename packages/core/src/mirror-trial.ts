/** What trials of mirrors share: stores in memory with a model of a few versions. */

import type { BlobStore } from './blob/blob-store.ts';
import { collect } from './blob/bytes.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { isIngotError, type IngotError } from './errors.ts';
import { CHURN, type TestDirectory } from './package/testing/fixtures.ts';
import { push } from './push.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

/** The model of the trials. */
export const NAME = parseModelName('churn');

/** An empty storage. */
export function memory(address: string): BlobStore {
  return createMemoryBlobStore({ address });
}

/** A store's registry and contents. */
export function over(blobs: BlobStore, warnings: string[] = []) {
  const onWarning = (message: string): void => {
    warnings.push(message);
  };
  return {
    blobs,
    registry: openLogRegistry({ blobs, actor: 'test', onWarning }),
    contents: createBlobContentStore(blobs),
  };
}

/** Pushes the example with this text in a file of its own. */
export async function pushed(directory: TestDirectory, store: ReturnType<typeof over>, text: string, name = 'churn') {
  const files = Object.entries({ ...CHURN, 'weights.txt': text }).map(([path, content]) => [`churn/${path}`, content]);
  await directory.write(Object.fromEntries(files));
  return await push(directory.join('churn'), { ...store, name });
}

/** A store with two versions, the first of them in production. */
export async function filled(directory: TestDirectory) {
  const source = over(memory('memory:source'));
  await createStore(source.blobs);
  await pushed(directory, source, 'one');
  await pushed(directory, source, 'two');
  await source.registry.setAlias(NAME, 'production', 1, { reason: 'first' });
  return source;
}

/** All that lies under a prefix. */
export async function bytesOf(blobs: BlobStore, prefix: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key } of blobs.list(prefix)) found[key] = (await collect(blobs.read(key))).toString('base64');
  return found;
}

/** The error that some work ends with. */
export async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw new Error('it should have failed with an IngotError', { cause: error });
  return error;
}
