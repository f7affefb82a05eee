/**
 * A *store* is a blob store that holds `ingot.json`: which format the store has, and its id. The file is made once and
 * never changed. A store that `follows` is a mirror, until a second file, `detached.json`, says that it is none any more.
 */

import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../blob/bytes.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { canonicalJson } from '../json.ts';
import { contradictsSum, withSum } from '../sum.ts';
import { parseObject } from './checked-json.ts';
import { chunkerJson } from './chunker.ts';

/** Key of the file that makes a blob store an Ingot store. */
export const STORE_FORMAT_KEY = 'ingot.json';

/** Key of the file that makes a mirror a store of its own; only looked for where `ingot.json` says `follows`. */
export const DETACHED_KEY = 'detached.json';

/** The newest format this release reads and the only one it writes. */
const STORE_FORMAT = 1;

/** What `ingot.json` says. */
export interface StoreFormat {
  readonly format: number;
  /** 32 hex digits. */
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** How contents are cut into pieces when they are written. Readers do not need it. */
  readonly chunker: JsonObject;
  readonly sealed: boolean;
  /** Whether only a server may write. */
  readonly governed: boolean;
  /** The address this store is a mirror of; then nothing else writes to it. */
  readonly follows?: string;
  /** When this was a mirror and became a store of its own: of what, and since when. */
  readonly detached?: Detached;
}

/** What `detached.json` says. */
export interface Detached {
  /** The address it followed. */
  readonly from: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Who did it, as histories show it. */
  readonly actor: string;
}

/** Canaries and hints lie here, of a writer that looks at the place just now too; they make no store and are no obstacle. */
const HINTS = 'changes/';

const ONLY_IN_STORES = /^(?:(?:names|models\/[^/]+)\/log\/\d{10}\.json|packs\/[^/]+\/\d+\.pack)$/;

/** Options of {@link createStore}. */
export interface CreateStoreOptions extends BlobOptions {
  /** Default: the system clock. */
  readonly now?: () => Date;
  /** Gives the new store's id, 32 hex digits. Default: random. */
  readonly randomId?: () => string;
  /** Makes a mirror: a store with the facts of this one, that follows an address. Default: a store of its own. */
  readonly mirrorOf?: { readonly format: StoreFormat; readonly address: string };
}

/**
 * Opens a store that must be there.
 * @throws IngotError `store-not-found` when there is none, `refused` when it is of a format this release cannot read, `integrity` when `ingot.json` is damaged or lost.
 */
export async function openStore(blobs: BlobStore, options: BlobOptions = {}): Promise<StoreFormat> {
  const found = await readFormat(blobs, options);
  if (found !== undefined) return found;
  const foreign = await firstKey(blobs, options);
  const made = foreign === undefined ? undefined : await readAmongOthers(blobs, foreign, options);
  if (made !== undefined) return made;
  const what =
    foreign === undefined
      ? 'there is nothing there yet'
      : `there are other files, "${foreign}" for one, but no ${STORE_FORMAT_KEY}`;
  throw new IngotError('store-not-found', `no Ingot store at ${blobs.address}: ${what}`, {
    operation: 'store.open',
    hint: 'ingot config show --origin   (says where the address comes from; the first `ingot push` makes a store)',
    details: { address: blobs.address },
  });
}

/**
 * Opens the store, or makes one where nothing is yet. Of many makers at once one wins and all get its store.
 * @throws IngotError `conflict` when other files lie there, else as {@link openStore} does.
 */
export async function createStore(blobs: BlobStore, options: CreateStoreOptions = {}): Promise<StoreFormat> {
  return (await makeOrOpen(blobs, options)).format;
}

async function makeOrOpen(
  blobs: BlobStore,
  options: CreateStoreOptions,
): Promise<{ readonly format: StoreFormat; readonly isNew: boolean }> {
  const found = await readFormat(blobs, options);
  if (found !== undefined) return { format: found, isNew: false };
  const foreign = await firstKey(blobs, options);
  if (foreign !== undefined) return { format: await openAmongOthers(blobs, foreign, options), isNew: false };
  const format = newFormat(options);
  const written = await writeDocument(blobs, STORE_FORMAT_KEY, format, options);
  if (written === 'created') return { format, isNew: true };
  return { format: await openStore(blobs, options), isNew: false };
}

/** The format of one store, read once however many ask. A failure is not kept: the next may find the store. */
export class FormatOnce {
  readonly #blobs: BlobStore;
  #known: Promise<StoreFormat> | undefined;
  #isNew = false;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** Whether this process made the store, so that nothing was in it when it was made. */
  get isNew(): boolean {
    return this.#isNew;
  }

  /** As {@link openStore}. */
  open(options: BlobOptions = {}): Promise<StoreFormat> {
    return this.#once(() => openStore(this.#blobs, options));
  }

  /** As {@link createStore}. */
  create(options: CreateStoreOptions = {}): Promise<StoreFormat> {
    return this.#once(async () => {
      const { format, isNew } = await makeOrOpen(this.#blobs, options);
      this.#isNew = isNew;
      return format;
    });
  }

  async #once(ask: () => Promise<StoreFormat>): Promise<StoreFormat> {
    this.#known ??= ask();
    try {
      return await this.#known;
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
  }
}

function newFormat({ mirrorOf, randomId, now = () => new Date() }: CreateStoreOptions): StoreFormat {
  if (mirrorOf !== undefined) {
    const { detached: _, ...facts } = mirrorOf.format;
    return { ...facts, follows: mirrorOf.address };
  }
  return {
    format: STORE_FORMAT,
    id: (randomId ?? (() => randomBytes(16).toString('hex')))(),
    created: now().toISOString(),
    chunker: chunkerJson(),
    sealed: false,
    governed: false,
  };
}

async function writeDocument(
  blobs: BlobStore,
  key: string,
  document: object,
  options: BlobOptions,
): Promise<'created' | 'exists'> {
  return await blobs.write(key, bodyOf(`${canonicalJson(withSum(document))}\n`), options);
}

/**
 * Makes a mirror a store of its own, for good: from now on it takes writes, and can be mirrored no further from what it
 * followed. Gives what stands then, which may be somebody else's doing.
 * @throws IngotError `conflict` when it never was a mirror.
 */
export async function detachStore(
  blobs: BlobStore,
  by: { readonly actor: string; readonly at: string },
  options: BlobOptions = {},
): Promise<Detached> {
  const { follows, detached } = await openStore(blobs, options);
  if (detached !== undefined) return detached;
  if (follows === undefined)
    throw new IngotError('conflict', `${blobs.address} is a store of its own already: it never was a mirror`, {
      operation: 'store.detach',
    });
  await writeDocument(blobs, DETACHED_KEY, { format: 1, from: follows, ...by }, options);
  const now = (await openStore(blobs, options)).detached;
  if (now !== undefined) return now;
  throw new IngotError('unavailable', `${blobs.address} does not show ${DETACHED_KEY}, which was just written`);
}

async function openAmongOthers(blobs: BlobStore, foreign: string, options: BlobOptions): Promise<StoreFormat> {
  const found = await readAmongOthers(blobs, foreign, options);
  if (found !== undefined) return found;
  throw new IngotError('conflict', `${blobs.address} is not an Ingot store and not empty ("${foreign}" lies there)`, {
    operation: 'store.create',
    hint: 'choose an empty directory or prefix with --registry or INGOT_REGISTRY',
    details: { address: blobs.address, found: foreign },
  });
}

// A maker may have written the store between the look for its format and the look for other files. What only a store
// has, without the format, is a store that lost it.
async function readAmongOthers(
  blobs: BlobStore,
  other: string,
  options: BlobOptions,
): Promise<StoreFormat | undefined> {
  const found = await readFormat(blobs, options);
  if (found !== undefined || !ONLY_IN_STORES.test(other)) return found;
  throw new IngotError('integrity', `${STORE_FORMAT_KEY} of ${blobs.address} is missing, though "${other}" is there`, {
    operation: 'store.open',
    hint: `restore ${STORE_FORMAT_KEY} from a copy of the store`,
    details: { address: blobs.address, found: other },
  });
}

async function readFormat(blobs: BlobStore, { signal }: BlobOptions): Promise<StoreFormat | undefined> {
  const call = signal ? { signal } : {};
  const bytes = await readIfPresent(blobs, STORE_FORMAT_KEY, call);
  const format = bytes && parseStoreFormat(bytes, blobs.address);
  if (format?.follows === undefined) return format;
  const ended = await readIfPresent(blobs, DETACHED_KEY, call);
  if (ended === undefined) return format;
  const { follows: _, ...facts } = format;
  return { ...facts, detached: parseDetached(ended, blobs.address) };
}

function parseDetached(bytes: Uint8Array, address: string): Detached {
  const what = `${DETACHED_KEY} of ${address}`;
  const fields = parseObject(bytes, what);
  if (!fields.has('sum') || contradictsSum(fields.raw))
    throw new IngotError('integrity', `${what} is damaged: it does not have its sum`, {
      hint: `restore ${DETACHED_KEY} from a copy of the store, or delete it and detach the mirror again`,
    });
  return { from: fields.text('from'), at: fields.text('at'), actor: fields.text('actor') };
}

async function firstKey(blobs: BlobStore, { signal }: BlobOptions): Promise<string | undefined> {
  for await (const { key } of blobs.list('', signal ? { signal } : {})) if (!key.startsWith(HINTS)) return key;
  return undefined;
}

/**
 * Reads the bytes of `ingot.json`.
 * @throws IngotError `integrity` when they are damaged, `refused` when the format is newer or the store is sealed.
 */
export function parseStoreFormat(bytes: Uint8Array, address: string): StoreFormat {
  const what = `${STORE_FORMAT_KEY} of ${address}`;
  const fields = parseObject(bytes, what);
  if (contradictsSum(fields.raw))
    throw new IngotError('integrity', `${what} is damaged: it does not have its sum`, {
      hint: `restore ${STORE_FORMAT_KEY} from a copy of the store`,
    });
  const format = fields.count('format');
  if (format !== STORE_FORMAT)
    throw refused(`${address} has store format ${format}; this release reads format ${STORE_FORMAT}`);
  const id = fields.text('id');
  if (!/^[0-9a-f]{32}$/.test(id)) throw new IngotError('integrity', `${what}: "id" is not 32 hex digits`);
  if (fields.flag('sealed')) throw refused(`${address} is a sealed store; this release reads stores that are not`);
  return {
    format,
    id,
    created: fields.text('created'),
    chunker: fields.object('chunker').raw,
    sealed: false,
    governed: fields.flag('governed'),
    ...(fields.has('follows') ? { follows: fields.text('follows') } : {}),
  };
}

function refused(message: string): IngotError {
  return new IngotError('refused', message, {
    operation: 'store.open',
    hint: 'npm install -g ingot@latest   (a newer release reads it)',
  });
}

/**
 * Checks that anybody may write to a store directly.
 * @throws IngotError `refused` for a mirror or a governed store.
 */
export function checkWritable(format: StoreFormat, address: string): void {
  if (format.follows !== undefined) {
    throw new IngotError('refused', `${address} is a mirror of ${format.follows}: write there`, {
      operation: 'store.write',
      hint: `the same command with --registry ${format.follows}   (if that is lost: ingot mirror --detach ${address} makes this a store of its own)`,
      details: { follows: format.follows },
    });
  }
  if (format.governed)
    throw new IngotError('refused', `${address} is governed: write through its server`, { operation: 'store.write' });
}
