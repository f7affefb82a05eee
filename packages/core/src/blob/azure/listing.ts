import type { BlobEntry } from '../blob-store.ts';
import { compareKeys } from '../key.ts';

/** An entry of a listing as Azure gives it. */
export interface ListedBlob extends BlobEntry {
  /** Whether it stands for a directory of an account with a hierarchical namespace, and is no blob. */
  readonly isDirectory: boolean;
}

const SURROGATES = 0xd800;

/**
 * Brings a listing into the order of the keys' UTF-8 bytes. Azure promises alphabetical order without saying of what:
 * where UTF-16 units are compared, keys with characters beyond U+D7FF come in another order, group by group, and only
 * such a group is held back. An account with a hierarchical namespace lists directory by directory; what follows the
 * first directory is collected and sorted.
 */
export async function* inKeyOrder(listed: AsyncIterable<ListedBlob>): AsyncIterable<ListedBlob> {
  let held: ListedBlob[] = [];
  let group: string | undefined;
  let isHierarchical = false;
  for await (const entry of listed) {
    isHierarchical ||= entry.isDirectory;
    if (entry.isDirectory) continue;
    if (isHierarchical) {
      held.push(entry);
      continue;
    }
    if (group !== undefined && !belongs(entry.key, group)) {
      yield* sorted(held);
      [held, group] = [[], undefined];
    }
    group ??= groupOf(entry.key);
    if (group === undefined) yield entry;
    else held.push(entry);
  }
  yield* sorted(held);
}

const sorted = (entries: ListedBlob[]) => entries.sort((a, b) => compareKeys(a.key, b.key));

/** What stands before the first character whose place depends on the order. */
function groupOf(key: string): string | undefined {
  for (let at = 0; at < key.length; at += 1) if (key.charCodeAt(at) >= SURROGATES) return key.slice(0, at);
  return undefined;
}

const belongs = (key: string, group: string) => key.startsWith(group) && key.charCodeAt(group.length) >= SURROGATES;
