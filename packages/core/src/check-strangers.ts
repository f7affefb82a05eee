import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { DETACHED_KEY, STORE_FORMAT_KEY } from './content/store-format.ts';

/** What a store holds; everything else was put there by somebody else. */
const FOLDERS = ['changes/', 'gc/', 'index/', 'keys/', 'models/', 'names/', 'packs/', 'roots/'];

/** Counts what lies beside the folders of a store; these themselves are skipped. One request a folder. */
export async function countStrangers(blobs: BlobStore, options: BlobOptions): Promise<number> {
  let count = 0;
  let after: string | undefined;
  for (let isMore = true; isMore; ) {
    isMore = false;
    for await (const { key } of blobs.list('', { ...options, ...(after === undefined ? {} : { after }) })) {
      const folder = FOLDERS.find((known) => key.startsWith(known));
      if (folder !== undefined) {
        after = `${folder}\u{10ffff}`;
        isMore = true;
        break;
      }
      if (key !== STORE_FORMAT_KEY && key !== DETACHED_KEY) count += 1;
    }
  }
  return count;
}
