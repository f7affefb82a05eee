import { type Digest, digestOf, isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { type ArtifactContext, newId } from './artifact-context.ts';
import type { ArtifactPath } from './artifact-path.ts';
import type { ArtifactTree, PutArtifact } from './artifact-tree.ts';
import { Gate } from './gate.ts';
import { releaseHoldings, removeRoot } from './holdings.ts';
import { type Incoming, type ReceiveOptions, receive } from './incoming.ts';
import type { ArtifactPartRow, ArtifactUploadRow } from './tables.ts';

/** Most parts of one file. */
export const MAX_PARTS = 10_000;
/** Uploads that were begun and are not finished, of everybody together. */
export const MAX_OPEN_UPLOADS = 10_000;
const PARTS_AT_ONCE = 4;
/** Uploads that nobody finished go after this time. */
const EXPIRE_MS = 24 * 3600 * 1000;

/** A part as the client says it has been taken. */
export interface NamedPart {
  readonly number: number;
  /** What the answer to the part called it. */
  readonly etag: string;
}

/** Files that come in parts, several at once. A part is durable when it is acknowledged; the file is there when all are. */
export class MultipartUploads {
  readonly #context: ArtifactContext;
  readonly #tree: ArtifactTree;
  readonly #gate = new Gate(PARTS_AT_ONCE);

  constructor(context: ArtifactContext, tree: ArtifactTree) {
    this.#context = context;
    this.#tree = tree;
  }

  /** Begins an upload and gives its id. Throws `invalid-request`, `overloaded` when too many were begun and never finished. */
  async create(path: ArtifactPath, parts: number): Promise<string> {
    if (!Number.isInteger(parts) || parts < 1 || parts > MAX_PARTS)
      throw new IngotError('invalid-request', `num_parts must be between 1 and ${MAX_PARTS}`);
    await this.#requireRoom();
    const id = newId(this.#context);
    const at = this.#context.now().toISOString();
    await this.#own.insertInto('artifact_uploads').values({ id, path: path.text, parts, at }).execute();
    return id;
  }

  /**
   * Takes a part; one that comes again replaces the first. Gives its entity tag.
   * @throws IngotError `not-found`, `invalid-request`, `interrupted`, and as the store does.
   */
  async putPart(
    upload: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    options: Omit<ReceiveOptions, 'scratch'> = {},
  ): Promise<string> {
    const { parts } = await this.#find(upload);
    if (!Number.isInteger(number) || number < 1 || number > parts)
      throw new IngotError('invalid-request', `there is no part ${number} of ${parts}`);
    const { signal } = options;
    const incoming = await receive(body, { ...options, scratch: this.#context.scratch });
    if ('bytes' in incoming) {
      const { bytes } = incoming;
      const digest = digestOf(bytes);
      await this.#note({ upload, number, digest, size_bytes: bytes.byteLength, holding: null, bytes });
      return etagOf(digest);
    }
    try {
      const take = () => this.#putLargePart(upload, number, incoming, signal);
      return etagOf(await this.#gate.through(take, signal));
    } finally {
      await incoming.dispose();
    }
  }

  /**
   * Puts the parts together and gives the file its place.
   * @throws IngotError `not-found`, `invalid-request` when a part is missing or is another one than is named.
   */
  async complete(upload: string, path: ArtifactPath, named: readonly NamedPart[]): Promise<PutArtifact> {
    const found = await this.#find(upload, path);
    const parts = await this.#parts(upload);
    checkParts(found, parts, named);
    const base = parts.flatMap(({ holding }) => holding ?? []);
    const sizeBytes = parts.reduce((sum, part) => sum + part.size_bytes, 0);
    const put = await this.#tree.putLarge(path, sizeBytes, () => this.#joined(parts), { base });
    await this.#remove(upload);
    return put;
  }

  /** Gives an upload up; nothing happens when there is none. Throws `not-found` for one of another path. */
  async abort(upload: string, path: ArtifactPath): Promise<void> {
    const row = await this.#row(upload);
    if (row === undefined) return;
    if (row.path !== path.text) throw noUpload(upload);
    await this.#remove(upload);
  }

  /** Gives up what nobody finished for a day. Gives how many. */
  async expire(): Promise<number> {
    const before = new Date(this.#context.now().getTime() - EXPIRE_MS).toISOString();
    const rows = await this.#own
      .selectFrom('artifact_uploads')
      .select('id')
      .where('at', '<', before)
      .limit(1000)
      .execute();
    for (const { id } of rows) await this.#remove(id);
    return rows.length;
  }

  async #requireRoom(): Promise<void> {
    const open = (): Promise<{ readonly n: number | string | bigint }> =>
      this.#own
        .selectFrom('artifact_uploads')
        .select(({ fn }) => fn.countAll().as('n'))
        .executeTakeFirstOrThrow();
    if (Number((await open()).n) < MAX_OPEN_UPLOADS) return;
    await this.expire();
    if (Number((await open()).n) >= MAX_OPEN_UPLOADS)
      throw new IngotError('overloaded', `${MAX_OPEN_UPLOADS} uploads in parts were begun and not finished`, {
        hint: 'complete or abort some; each expires a day after it was begun',
      });
  }

  get #own(): ArtifactContext['database']['own'] {
    return this.#context.database.own;
  }

  async #putLargePart(
    upload: string,
    number: number,
    { sizeBytes, stream, reader }: Exclude<Incoming, { readonly bytes: Uint8Array }>,
    signal: AbortSignal | undefined,
  ): Promise<Digest> {
    const { store, database, owner, now } = this.#context;
    const id = newId(this.#context);
    await using kept = await store.contents.openUpload({
      keptAs: { kind: 'artifacts', id, owner },
      ...(signal && { signal }),
    });
    const opened = { open: () => stream, ...(reader && { openBlocks: async () => reader }) };
    const { digest } = await kept.put({ role: 'file', path: `part-${number}`, sizeBytes, ...opened });
    const { recipe, root = '' } = await kept.seal();
    const row = { id, recipe: JSON.stringify(recipe), root, at: now().toISOString() };
    try {
      await database.own.insertInto('artifact_holdings').values(row).execute();
      await this.#note({ upload, number, digest, size_bytes: sizeBytes, holding: id, bytes: null });
    } catch (error) {
      await removeRoot(store.blobs, root);
      throw error;
    }
    await kept.release();
    return digest;
  }

  async #note(row: ArtifactPartRow): Promise<void> {
    const before = await this.#own.transaction().execute(async (own) => {
      const { upload, number, ...facts } = row;
      const known = await own
        .selectFrom('artifact_parts')
        .select('holding')
        .where('upload', '=', upload)
        .where('number', '=', number)
        .executeTakeFirst();
      await own
        .insertInto('artifact_parts')
        .values(row)
        .onConflict((conflict) => conflict.columns(['upload', 'number']).doUpdateSet(facts))
        .execute();
      return known?.holding;
    });
    if (before != null) await releaseHoldings(this.#context, [before]);
  }

  async *#joined(parts: readonly Omit<ArtifactPartRow, 'bytes'>[]): AsyncGenerator<Uint8Array> {
    for (const { upload, number, digest, holding } of parts) {
      if (holding !== null) {
        const recipe = await this.#tree.reader.recipe(holding);
        yield* this.#context.store.contents.read(recipe, checkedDigest(digest));
        continue;
      }
      const row = await this.#own
        .selectFrom('artifact_parts')
        .select('bytes')
        .where('upload', '=', upload)
        .where('number', '=', number)
        .executeTakeFirst();
      if (row?.bytes == null) throw noUpload(upload);
      yield row.bytes;
    }
  }

  async #parts(upload: string): Promise<readonly Omit<ArtifactPartRow, 'bytes'>[]> {
    return await this.#own
      .selectFrom('artifact_parts')
      .select(['upload', 'number', 'digest', 'size_bytes', 'holding'])
      .where('upload', '=', upload)
      .orderBy('number')
      .execute();
  }

  async #row(upload: string): Promise<ArtifactUploadRow | undefined> {
    return await this.#own.selectFrom('artifact_uploads').selectAll().where('id', '=', upload).executeTakeFirst();
  }

  async #find(upload: string, path?: ArtifactPath): Promise<ArtifactUploadRow> {
    const row = await this.#row(upload);
    if (row === undefined || (path !== undefined && path.text !== row.path)) throw noUpload(upload);
    return row;
  }

  async #remove(upload: string): Promise<void> {
    const parts = await this.#own.transaction().execute(async (own) => {
      await own.deleteFrom('artifact_uploads').where('id', '=', upload).execute();
      return await own.deleteFrom('artifact_parts').where('upload', '=', upload).returning('holding').execute();
    });
    await releaseHoldings(
      this.#context,
      parts.flatMap(({ holding }) => holding ?? []),
    );
  }
}

/** The entity tag of a content. */
export function etagOf(digest: Digest): string {
  return `"${digest}"`;
}

function checkParts(
  { parts: count }: ArtifactUploadRow,
  parts: readonly Pick<ArtifactPartRow, 'number' | 'digest'>[],
  named: readonly NamedPart[],
): void {
  const numbers = new Set(named.map(({ number }) => number));
  if (parts.length !== count || numbers.size !== count || named.length !== count)
    throw new IngotError(
      'invalid-request',
      `${parts.length} of ${count} parts have come, and ${named.length} are named`,
    );
  const etags = new Map(parts.map(({ number, digest }) => [number, etagOf(checkedDigest(digest))]));
  const other = named.find(({ number, etag }) => etags.get(number) !== etag);
  if (other !== undefined) throw new IngotError('invalid-request', `part ${other.number} is not the one that came`);
}

function checkedDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new IngotError('integrity', 'a digest in the database of artifacts is damaged');
}

function noUpload(id: string): IngotError {
  return new IngotError('not-found', `there is no upload ${id.slice(0, 64)} of this file; it may have expired`);
}
