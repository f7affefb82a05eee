import type { ReadOptions, Recipe } from '@ingot/core/content/content-store';
import { type LentOptions, LentReader } from '@ingot/core/content/lent-reader';
import { type Digest, digestOf } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { Kysely } from 'kysely';
import { ArtifactReader } from '../artifacts/artifact-reader.ts';
import { recipesOf } from '../artifacts/artifact-rows.ts';
import { lockHolding, releaseHoldings } from '../artifacts/holdings.ts';
import type { OwnTables } from '../database/own-tables.ts';
import { type BlobContext, keptDigest, STAGED_BYTES } from './blob-context.ts';
import type { OciBlobRow } from './blob-tables.ts';
import type { OciBlob, OciBlobs } from './oci-blobs.ts';
import { ociError } from './oci-error.ts';
import { parseRepository, type RepositoryName } from './repository.ts';
import { type HeldBytes, storeBody } from './store-body.ts';

/** A blob as a row has it, without its bytes. */
export type BlobFacts = Omit<OciBlobRow, 'bytes'>;

/** Where the bytes of a new blob lie. */
export type BlobPlace = { readonly bytes: Uint8Array } | { readonly holding: string };

/** Repositories that are asked for a blob nobody has said the place of. */
const SOURCES = 50;
/** How often it is noted that a blob is asked for. */
const USED_MS = 24 * 3600 * 1000;

/** Blobs that were pushed or lent to repositories. Each repository has rows of its own; their contents are shared. */
export class PushedBlobs implements OciBlobs {
  readonly #context: BlobContext;
  readonly #reader: ArtifactReader;
  readonly #lender: LentReader;

  constructor(context: BlobContext) {
    this.#context = context;
    this.#reader = new ArtifactReader(context);
    this.#lender = new LentReader(context.store.blobs);
  }

  async find(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined> {
    const row = await this.#row(repository, digest);
    return row && (await this.#blobOf(row));
  }

  /** Finds what a repository shows under a digest: a blob that was pushed there, or a content of its model's versions. */
  async shown(
    repository: RepositoryName,
    digest: OciDigest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<OciBlob | undefined> {
    const row = await this.#row(repository, digest);
    // Where its recipe lies is not asked for: most are only looked at.
    if (row !== undefined) return this.#shownOf(row);
    const blob = await this.#context.models.find(repository, digest, options);
    if (blob === undefined) return await this.ofFormerName(repository, digest);
    const ref = blob.recipe;
    if (ref === undefined) return blob;
    const open = (): Promise<Recipe> => this.#context.store.contents.openRecipe(ref);
    return { ...blob, lend: (lent) => this.#lent(open, blob.content, lent) };
  }

  /** Finds a blob that a version of the model names, and that was pushed when the model had another name. */
  async ofFormerName(repository: RepositoryName, digest: OciDigest): Promise<OciBlob | undefined> {
    for (const name of (await this.#context.models.formerNames?.(repository, digest)) ?? []) {
      const found = await this.find(name, digest);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Lends a blob to a repository without its bytes being sent again.
   * @param from the repository that has it. Undefined: whichever has it that `mayRead` lets through.
   * @returns false when there is no such blob, or the caller may not read it where it is.
   */
  async mount(
    repository: RepositoryName,
    digest: OciDigest,
    from: RepositoryName | undefined,
    mayRead: (repository: RepositoryName) => boolean,
  ): Promise<boolean> {
    const sources = from === undefined ? await this.#repositoriesWith(digest) : [from];
    for (const source of [repository, ...sources].filter((name) => name === repository || mayRead(name)))
      if (await this.#lend(repository, digest, source)) return true;
    return from !== undefined && mayRead(from) && (await this.#lendOfModel(repository, digest, from));
  }

  /**
   * Lets a repository lose a blob; its contents go when nothing else needs them.
   * @throws IngotError BLOB_UNKNOWN; DENIED while a manifest names it, or when a version of the model has it.
   */
  async delete(repository: RepositoryName, digest: OciDigest): Promise<void> {
    const row = await this.#row(repository, digest);
    if (row === undefined) {
      if ((await this.#context.models.find(repository, digest)) === undefined) throw noBlob(digest);
      throw ociError('DENIED', `${digest} belongs to a version of ${repository}`, { status: 405 });
    }
    if (await this.#context.references.isReferenced(repository, digest))
      throw ociError('DENIED', `a manifest of ${repository} names ${digest}`, {
        status: 405,
        hint: 'delete the manifest first',
      });
    await this.drop(repository, digest);
  }

  /**
   * Removes a row and lets go of what it had. False: there was none.
   * @param unused only one that nobody has pushed or asked for since then. ISO 8601, UTC.
   */
  async drop(repository: RepositoryName, digest: OciDigest, unused?: string): Promise<boolean> {
    const deleting = this.#context.database.own
      .deleteFrom('oci_blobs')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .returning('holding');
    const row = await (unused === undefined ? deleting : deleting.where('at', '<', unused)).executeTakeFirst();
    if (row?.holding != null) await releaseHoldings(this.#context, [row.holding]);
    return row !== undefined;
  }

  /** Notes a blob whose bytes are staged. */
  async stage(repository: RepositoryName, digest: OciDigest, bytes: Uint8Array): Promise<void> {
    const { database, now } = this.#context;
    const held = { content: digestOf(bytes), sizeBytes: bytes.byteLength };
    await placeBlob(database.own, { repository, digest, ...held, place: { bytes }, at: now().toISOString() });
  }

  async #lend(repository: RepositoryName, digest: OciDigest, source: RepositoryName): Promise<boolean> {
    const { database, now } = this.#context;
    return await database.own.transaction().execute(async (own) => {
      const row = await own
        .selectFrom('oci_blobs')
        .selectAll()
        .where('repository', '=', source)
        .where('digest', '=', digest)
        .executeTakeFirst();
      if (row === undefined) return false;
      if (row.holding !== null && !(await lockHolding(own, row.holding))) return false;
      const place = row.holding === null ? { bytes: row.bytes ?? new Uint8Array(0) } : { holding: row.holding };
      const [content, sizeBytes] = [keptDigest(row.content), row.size_bytes];
      await placeBlob(own, { repository, digest, content, sizeBytes, place, at: now().toISOString() });
      return true;
    });
  }

  async #lendOfModel(repository: RepositoryName, digest: OciDigest, from: RepositoryName): Promise<boolean> {
    const blob = await this.#context.models.find(from, digest);
    if (blob === undefined) return false;
    const { content, sizeBytes, recipe } = blob;
    if (sizeBytes <= STAGED_BYTES) {
      await this.stage(repository, digest, await gathered(blob.read()));
      return true;
    }
    const body = { open: () => blob.read(), sizeBytes, digest: content, base: recipe === undefined ? [] : [recipe] };
    const extra = await storeBody(this.#context, body, this.keeping(repository, digest));
    await releaseHoldings(this.#context, extra);
    return true;
  }

  /** What makes a blob of bytes that come; gives holdings that turned out not to be needed. */
  keeping(repository: RepositoryName, digest: OciDigest, check: (content: Digest) => void = () => {}) {
    return {
      check: ({ content }: Pick<HeldBytes, 'content'>): void => check(content),
      note: async (own: Kysely<OwnTables>, { content, sizeBytes, holding }: HeldBytes): Promise<readonly string[]> => {
        const at = this.#context.now().toISOString();
        const blob = { repository, digest, content, sizeBytes, place: { holding }, at };
        return (await placeBlob(own, blob)) === holding ? [] : [holding];
      },
    };
  }

  async #repositoriesWith(digest: OciDigest): Promise<readonly RepositoryName[]> {
    const rows = await this.#context.database.own
      .selectFrom('oci_blobs')
      .select('repository')
      .where('digest', '=', digest)
      .orderBy('repository')
      .limit(SOURCES)
      .execute();
    return rows.map(({ repository }) => parseRepository(repository));
  }

  async #row(repository: RepositoryName, digest: OciDigest): Promise<BlobFacts | undefined> {
    const row = await this.#context.database.own
      .selectFrom('oci_blobs')
      .select(['repository', 'digest', 'content', 'size_bytes', 'holding', 'at'])
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst();
    return row === undefined ? undefined : await this.#used(row);
  }

  /** Notes once a day that a blob is asked for: a manifest that names it may be on its way. Undefined: it is gone. */
  async #used(row: BlobFacts): Promise<BlobFacts | undefined> {
    const now = this.#context.now();
    if (now.getTime() - Date.parse(row.at) < USED_MS) return row;
    const { repository, digest } = row;
    const { numUpdatedRows } = await this.#context.database.own
      .updateTable('oci_blobs')
      .set({ at: now.toISOString() })
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst();
    return numUpdatedRows === 0n ? undefined : row;
  }

  async #blobOf(row: BlobFacts): Promise<OciBlob> {
    const blob = this.#shownOf(row);
    if (row.holding === null) return blob;
    const [recipe] = await recipesOf(this.#context.database.own, [row.holding]);
    return recipe === undefined ? blob : { ...blob, recipe };
  }

  #shownOf(row: BlobFacts): OciBlob {
    const content = keptDigest(row.content);
    const shown = {
      sizeBytes: row.size_bytes,
      content,
      read: (options?: ReadOptions) => this.#read(row, content, options),
    };
    const { holding } = row;
    if (holding === null) return shown;
    return { ...shown, lend: (lent) => this.#lent(() => this.#reader.recipe(holding), content, lent) };
  }

  async *#lent(open: () => Promise<Recipe>, content: Digest, options: LentOptions): AsyncGenerator<Uint8Array> {
    yield* this.#lender.read(await open(), content, options);
  }

  async *#read(row: BlobFacts, content: Digest, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const holding = row.holding ?? (await this.#staged(row));
    if (typeof holding === 'string') {
      yield* this.#context.store.contents.read(await this.#reader.recipe(holding), content, options);
      return;
    }
    if (digestOf(holding) !== content)
      throw new IngotError('integrity', `the blob ${row.digest} has other bytes now in the database of the server`);
    const { start, end } = options.range ?? { start: 0, end: holding.byteLength };
    yield holding.subarray(start, end);
  }

  /** Bytes that are staged, or the holding that they were moved to meanwhile. */
  async #staged({ repository, digest }: BlobFacts): Promise<Uint8Array | string> {
    const row = await this.#context.database.own
      .selectFrom('oci_blobs')
      .select(['bytes', 'holding'])
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst();
    const place = row?.holding ?? row?.bytes;
    if (place == null) throw ociError('BLOB_UNKNOWN', `there is no blob ${digest} any more`);
    return place;
  }
}

/** Refuses what is not there. */
export function noBlob(digest: string): IngotError {
  return ociError('BLOB_UNKNOWN', `there is no blob ${digest} in this repository`);
}

/** A blob that is to have a row. */
interface PlacedBlob {
  readonly repository: RepositoryName;
  readonly digest: OciDigest;
  readonly content: Digest;
  readonly sizeBytes: number;
  readonly place: BlobPlace;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** Writes the row of a blob; one that is there stays and is as new. Gives the holding that the row has then. */
async function placeBlob(own: Kysely<OwnTables>, blob: PlacedBlob): Promise<string | null> {
  const { repository, digest, content, sizeBytes, place, at } = blob;
  const [holding, bytes] = 'holding' in place ? [place.holding, null] : [null, place.bytes];
  const row = await own
    .insertInto('oci_blobs')
    .values({ repository, digest, content, size_bytes: sizeBytes, holding, bytes, at })
    .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet({ at }))
    .returning('holding')
    .executeTakeFirstOrThrow();
  return row.holding;
}

async function gathered(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}
