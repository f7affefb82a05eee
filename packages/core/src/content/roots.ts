/**
 * A *root* names what must be kept though no event names it yet; a *condemned list* names the packs a collection is
 * about to delete. An upload writes its root first and reads the lists after; a collection publishes its list first
 * and reads the roots after. So one of the two always sees the other.
 */

import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../blob/bytes.ts';
import { IngotError } from '../errors.ts';
import { canonicalJson } from '../json.ts';
import { contradictsSum, withSum } from '../sum.ts';
import { type CheckedObject, parseObject } from './checked-json.ts';
import type { KeptAs } from './content-store.ts';
import { isPackId, packKey } from './locator.ts';

/** Where the condemned lists of collections lie. */
export const CONDEMNED_PREFIX = 'gc/';

/** Where all roots lie: `uploads/…`, `collections/…`, and one folder for each other kind. */
export const ROOTS_PREFIX = 'roots/';

const AT_ONCE = 32;

/** From so many packs of one upload on they are looked for in a listing, one request a thousand, and not one by one. */
const WORTH_LISTING = 5;

/** What an upload in flight relies on. */
export interface UploadRoot {
  readonly upload: string;
  readonly modelId: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly packs: readonly string[];
}

/** What a collection has condemned. */
export interface CondemnedList {
  readonly packs: readonly string[];
}

/** Key of the n-th root of an upload. */
export function uploadRootKey(upload: string, n: number): string {
  return `roots/uploads/${upload}/${n}.json`;
}

/** Writes a root under a key that nobody else has. */
export async function writeUploadRoot(
  blobs: BlobStore,
  key: string,
  root: UploadRoot,
  options: BlobOptions,
): Promise<void> {
  await blobs.write(key, bodyOf(`${canonicalJson(withSum({ format: 1, ...root }))}\n`), options);
}

const KIND = /^[a-z][a-z-]{0,40}$/;
const ROOT_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** Key of the n-th root that keeps contents which no event names. Throws `usage` for a name that a root cannot have. */
export function keptRootKey({ kind, id }: KeptAs, n: number): string {
  if (!KIND.test(kind) || kind === 'uploads' || kind === 'collections' || !ROOT_ID.test(id))
    throw new IngotError('usage', `"${kind}/${id}" cannot be a root`);
  return `${ROOTS_PREFIX}${kind}/${id}${n === 0 ? '' : `-${n}`}.json`;
}

/** What a root says that keeps contents which no event names. */
export interface KeptRoot {
  readonly upload: string;
  readonly owner: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly packs: readonly string[];
}

/** Writes a root that stays; another root of the name is left alone. Gives the key. */
export async function writeKeptRoot(
  blobs: BlobStore,
  kept: KeptAs,
  root: Omit<KeptRoot, 'owner'>,
  options: BlobOptions,
): Promise<string> {
  const body = bodyOf(`${canonicalJson(withSum({ format: 1, owner: kept.owner, ...root }))}\n`);
  for (let n = 0; ; n += 1) {
    const key = keptRootKey(kept, n);
    if ((await blobs.write(key, body, options)) === 'created') return key;
  }
}

/** Says who keeps a root; undefined for the roots of uploads and collections. Throws `integrity`. */
export function ownerOfRoot(bytes: Uint8Array, what: string): string | undefined {
  const fields = parseSummed(bytes, what);
  return fields.has('owner') ? fields.text('owner') : undefined;
}

/** Reads the bytes of an upload root. Throws `integrity`. */
export function parseUploadRoot(bytes: Uint8Array, what: string): UploadRoot {
  const fields = parseSummed(bytes, what);
  return {
    upload: fields.text('upload'),
    modelId: fields.text('modelId'),
    at: fields.text('at'),
    packs: parsePacks(fields, what),
  };
}

/** Reads the bytes of a condemned list. Throws `integrity`. */
export function parseCondemnedList(bytes: Uint8Array, what: string): CondemnedList {
  return { packs: parsePacks(parseSummed(bytes, what), what) };
}

/** Reads the bytes of any root: whatever it is for, it names packs. Throws `integrity`. */
export function parseRoot(bytes: Uint8Array, what: string): readonly string[] {
  return parsePacks(parseSummed(bytes, what), what);
}

function parseSummed(bytes: Uint8Array, what: string): CheckedObject {
  const fields = parseObject(bytes, what);
  if (!contradictsSum(fields.raw)) return fields;
  throw new IngotError('integrity', `${what} is damaged: it does not have its sum`, { details: { file: what } });
}

function parsePacks(fields: CheckedObject, what: string): readonly string[] {
  const packs = fields.texts('packs');
  if (packs.every(isPackId)) return packs;
  throw new IngotError('integrity', `${what} names something that is no pack`);
}

/**
 * Gives those of some packs that must not be relied on: condemned by a collection, or gone. What is condemned is read
 * first: a list goes only when its packs are gone, so that whoever does not find it any more finds them gone. One
 * listing, one request a list, and one or a few for each upload that wrote some of the packs.
 * @param listedFrom from how many packs of one upload on these are listed. Default: 5.
 */
export async function absentPacks(
  blobs: BlobStore,
  packs: readonly string[],
  options: BlobOptions,
  listedFrom = WORTH_LISTING,
): Promise<ReadonlySet<string>> {
  if (packs.length === 0) return new Set();
  const condemned = await condemnedPacks(blobs, options);
  const others = packs.filter((pack) => !condemned.has(pack));
  const gone = await gonePacks(blobs, others, options, listedFrom);
  return new Set([...packs.filter((pack) => condemned.has(pack)), ...gone]);
}

async function gonePacks(
  blobs: BlobStore,
  packs: readonly string[],
  options: BlobOptions,
  listedFrom: number,
): Promise<readonly string[]> {
  const isLate = blobs.capabilities.stalenessMs > 0;
  const listed = isLate ? new Set<string>() : await listedPacks(blobs, packs, options, listedFrom);
  // A listing may be late: what it does not show is looked at.
  const unseen = packs.filter((pack) => !listed.has(pack));
  const gone: string[] = [];
  for (let at = 0; at < unseen.length; at += AT_ONCE) {
    const some = unseen.slice(at, at + AT_ONCE);
    const stats = await Promise.all(some.map((pack) => blobs.stat(packKey(pack), options)));
    gone.push(...some.filter((_, n) => stats[n] === undefined));
  }
  return gone;
}

/** Those of some packs that listings show; packs of uploads that wrote only a few of them are not listed. */
async function listedPacks(
  blobs: BlobStore,
  packs: readonly string[],
  options: BlobOptions,
  listedFrom: number,
): Promise<ReadonlySet<string>> {
  const wanted = new Map(packs.map((pack) => [packKey(pack), pack]));
  const uploads = new Map<string, string[]>();
  for (const key of wanted.keys()) {
    const prefix = key.slice(0, key.lastIndexOf('/') + 1);
    const keys = uploads.get(prefix);
    if (keys === undefined) uploads.set(prefix, [key]);
    else keys.push(key);
  }
  const seen = new Set<string>();
  const list = async ([prefix, keys]: readonly [string, readonly string[]]): Promise<void> => {
    const last = keys.reduce((a, b) => (a > b ? a : b));
    for await (const { key } of blobs.list(prefix, options)) {
      const pack = wanted.get(key);
      if (pack !== undefined) seen.add(pack);
      if (key >= last) return;
    }
  };
  await Promise.all([...uploads].filter(([, keys]) => keys.length >= listedFrom).map(list));
  return seen;
}

/** Reads which packs collections have condemned. One listing, and one request a list. */
export async function condemnedPacks(blobs: BlobStore, options: BlobOptions): Promise<ReadonlySet<string>> {
  const condemned = new Set<string>();
  for await (const { key } of blobs.list(CONDEMNED_PREFIX, options)) {
    // A list that is gone again names only packs that are gone too, or spared.
    const bytes = await readIfPresent(blobs, key, options);
    if (bytes !== undefined) for (const pack of parseCondemnedList(bytes, key).packs) condemned.add(pack);
  }
  return condemned;
}
