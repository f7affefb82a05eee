/**
 * A collection *condemns* packs in a list, `gc/<run>.json`. What of them goes is said in its *final* list,
 * `gc/<run>.final.json`, made by whoever was first to read all roots and logs after the list stood. A final list is one
 * only while its list stands: that is looked at after the final list was seen.
 */

import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../../blob/bytes.ts';
import { IngotError } from '../../errors.ts';
import { canonicalJson } from '../../json.ts';
import { withSum } from '../../sum.ts';
import { parseObject } from '../checked-json.ts';
import { CONDEMNED_PREFIX, parseCondemnedList } from '../roots.ts';

/** A list that stands. */
export interface StandingList {
  readonly run: string;
  readonly packs: readonly string[];
}

/** What goes of a list. */
export interface FinalList {
  readonly packs: readonly string[];
  /** Those of them whose entries were moved and are needed: their moved files stay. */
  readonly moved: readonly string[];
}

const LIST = /^gc\/([a-z0-9][a-z0-9-]{0,63})\.json$/;
const FINAL = /^gc\/([a-z0-9][a-z0-9-]{0,63})\.final\.json$/;

/** Key of a condemned list. */
export function listKey(run: string): string {
  return `${CONDEMNED_PREFIX}${run}.json`;
}

/** Key of a final list. */
export function finalKey(run: string): string {
  return `${CONDEMNED_PREFIX}${run}.final.json`;
}

/** Publishes what a run condemns, under a key that nobody else has. */
export async function publishList(
  blobs: BlobStore,
  run: string,
  packs: readonly string[],
  options: BlobOptions,
): Promise<void> {
  await blobs.write(listKey(run), document({ packs }), options);
}

/** Reads all lists that stand, and names final lists whose list is gone: those are left-overs. */
export async function standingLists(
  blobs: BlobStore,
  options: BlobOptions,
): Promise<{ readonly lists: readonly StandingList[]; readonly leftovers: readonly string[] }> {
  const keys: string[] = [];
  for await (const { key } of blobs.list(CONDEMNED_PREFIX, options)) keys.push(key);
  const lists: StandingList[] = [];
  for (const key of keys) {
    const run = LIST.exec(key)?.[1];
    const bytes = run === undefined ? undefined : await readIfPresent(blobs, key, options);
    if (run !== undefined && bytes !== undefined) lists.push({ run, packs: parseCondemnedList(bytes, key).packs });
  }
  const runs = new Set(lists.map(({ run }) => run));
  const finals = keys.flatMap((key) => FINAL.exec(key)?.[1] ?? []);
  const leftovers: string[] = [];
  for (const run of finals) {
    if (!runs.has(run) && (await blobs.stat(listKey(run), options)) === undefined) leftovers.push(run);
  }
  return { lists, leftovers };
}

/**
 * Makes the final list of a run, or reads the one that somebody else made. Undefined when the list is gone: then others
 * have finished it, and nothing may be deleted for it any more.
 */
export async function agreeOnFinal(
  blobs: BlobStore,
  run: string,
  proposed: FinalList,
  options: BlobOptions,
): Promise<FinalList | undefined> {
  const key = finalKey(run);
  await blobs.write(key, document(proposed), options);
  // Read back whatever the answer was: a reply can be lost, and of several proposals one stands.
  const bytes = await readIfPresent(blobs, key, options);
  const stands = (await blobs.stat(listKey(run), options)) !== undefined;
  if (!stands) {
    await blobs.delete(key, options);
    return undefined;
  }
  if (bytes !== undefined) return parseFinal(bytes, key);
  throw new IngotError('unavailable', `${blobs.address} does not show ${key}, which was just written`);
}

function parseFinal(bytes: Uint8Array, key: string): FinalList {
  const { packs } = parseCondemnedList(bytes, key);
  const moved = parseObject(bytes, key).texts('moved');
  if (moved.every((pack) => packs.includes(pack))) return { packs, moved };
  throw new IngotError('integrity', `${key} keeps moved files of packs that it does not name`);
}

/** Removes a list of which all is gone, then its final list. */
export async function removeList(blobs: BlobStore, run: string, options: BlobOptions): Promise<void> {
  await blobs.delete(listKey(run), options);
  await blobs.delete(finalKey(run), options);
}

function document(list: { readonly packs: readonly string[]; readonly moved?: readonly string[] }) {
  return bodyOf(`${canonicalJson(withSum({ format: 1, ...list }))}\n`);
}
