import type { EndingReader, RecipeRef } from '@ingot/core/content/content-store';
import type { Digest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import { newId } from '../artifacts/artifact-context.ts';
import { removeRoot } from '../artifacts/holdings.ts';
import type { OwnTables } from '../database/own-tables.ts';
import type { BlobContext } from './blob-context.ts';

/** What is stored, and what it may share. */
export interface StoredBody {
  open(): AsyncIterable<Uint8Array>;
  /** Reads the bytes instead of what {@link StoredBody.open} gives. */
  readonly reader?: EndingReader | undefined;
  /** How many bytes come; with `openEnded`, about how many. */
  readonly sizeBytes: number;
  readonly openEnded?: boolean;
  /** Recipes whose contents need not be written again. */
  readonly base: readonly RecipeRef[];
  /** What its bytes are known to be, when it is made of contents of the base; see {@link StoredBody.joined}. */
  readonly digest?: Digest;
  /** Contents of the base that it consists of. */
  readonly joined?: readonly Digest[];
  readonly signal?: AbortSignal | undefined;
  onBytes?(bytes: Uint8Array): void;
}

/** Bytes that have a holding. */
export interface HeldBytes {
  readonly content: Digest;
  readonly sizeBytes: number;
  readonly holding: string;
}

/** What becomes of bytes that have come. */
export interface Keeping<T> {
  /** Refuses them before anything of them is kept, by throwing. */
  check(bytes: Omit<HeldBytes, 'holding'>): void;
  /** Notes them in the transaction that makes their holding; what it throws leaves nothing. */
  note(own: Kysely<OwnTables>, bytes: HeldBytes): Promise<T>;
}

/**
 * Stores a body in packs while it comes, and makes a holding of it: packs, then the root, then the rows. Whatever fails,
 * nothing names what came.
 * @throws IngotError as reading the body, the store and `keeping` do; `unavailable` when a collection took what it relied on.
 */
export async function storeBody<T>(context: BlobContext, body: StoredBody, { check, note }: Keeping<T>): Promise<T> {
  const { store, database, owner, now } = context;
  const { open, reader, sizeBytes, openEnded, base, digest, joined, signal, onBytes } = body;
  const id = newId(context);
  const options = signal === undefined ? {} : { signal };
  await using upload = await store.contents.openUpload({ keptAs: { kind: 'oci', id, owner }, base, ...options });
  const put = await upload.put({
    role: 'file',
    path: 'blob',
    sizeBytes,
    open: joined === undefined ? once(open) : open,
    ...(reader && { openBlocks: once(async () => reader) }),
    ...(openEnded && { openEnded }),
    ...(digest && { digest }),
    ...(joined && { joined }),
    ...(onBytes && { onBytes }),
  });
  check({ content: put.digest, sizeBytes: put.sizeBytes });
  const { recipe, root = '' } = await upload.seal(options);
  try {
    const noted = await database.own.transaction().execute(async (own) => {
      const row = { id, recipe: JSON.stringify(recipe), root, at: now().toISOString() };
      await own.insertInto('artifact_holdings').values(row).execute();
      return await note(own, { content: put.digest, sizeBytes: put.sizeBytes, holding: id });
    });
    await upload.release();
    return noted;
  } catch (error) {
    await removeRoot(store.blobs, root);
    throw error;
  }
}

/** A body that came over a line cannot come again: whoever sent it is asked to send it again. */
function once<T>(open: () => T): () => T {
  let opened = false;
  return () => {
    if (opened)
      throw new IngotError('unavailable', 'a collection took what the blob relied on while it came', {
        retryable: true,
        hint: 'send it again',
      });
    opened = true;
    return open();
  };
}
