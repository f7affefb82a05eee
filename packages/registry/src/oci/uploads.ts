/**
 * An *upload* is a blob that comes in one or several requests. What has come is durable before it is acknowledged: little
 * as bytes of its row, more as *parts*, each a content of a holding. So any server over the same database goes on with it,
 * also after a crash.
 */

import type { Digest } from '@ingot/core/digest';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { asOciDigest, createOciDigester, type DigestAlgorithm, ociDigestOf, splitDigest } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';
import type { Kysely } from 'kysely';
import { newId } from '../artifacts/artifact-context.ts';
import { Gate } from '../artifacts/gate.ts';
import { releaseHoldings } from '../artifacts/holdings.ts';
import type { OwnTables } from '../database/own-tables.ts';
import { basesOf } from './blob-bases.ts';
import { type BlobContext, otherBytes, STAGED_BYTES } from './blob-context.ts';
import type { OciUploadRow } from './blob-tables.ts';
import { after, type IncomingBody, type Received, receiveBody, untilItStops } from './incoming-body.ts';
import { ociError } from './oci-error.ts';
import type { PushedBlobs } from './pushed-blobs.ts';
import { parseRepository, type RepositoryName } from './repository.ts';
import { addBytes, newHashes, type RunningHash, RunningHashes } from './running-hashes.ts';
import { Settling } from './settling.ts';
import { type HeldBytes, storeBody } from './store-body.ts';
import { UploadFinisher } from './upload-finisher.ts';
import { advance, findUpload, outOfOrder } from './upload-rows.ts';

/** Uploads that were begun and are not finished, of everybody together, and of one repository. */
export const MAX_OPEN_UPLOADS = 10_000;
export const MAX_UPLOADS_OF_ONE = 1000;
/** Most parts of one upload. */
export const MAX_PARTS = 10_000;
/** Parts that are smaller cost more than their bytes; clients are told so. */
export const MIN_PART_BYTES = 8 * 1024 * 1024;
/** What is expected of a body whose sender does not say how large it is. */
const EXPECTED_BYTES = 64 * 1024 * 1024;
/** Large bodies that are taken at once; each has some MiB in memory. Others wait, and so do their senders. */
const LARGE_AT_ONCE = 8;
/** Uploads for which nothing came for so long go. */
const EXPIRE_MS = 24 * 3600 * 1000;

/** How far an upload is. */
export interface UploadStatus {
  readonly id: string;
  readonly sizeBytes: number;
}

/** Where the bytes of a request belong. */
export interface PartRange {
  readonly start: number;
  readonly end: number;
}

/** A body of a request that may say where its bytes belong. */
export interface PartBody extends IncomingBody {
  /** Default: behind what has come. */
  readonly range?: PartRange | undefined;
}

/** What is left of a body to be stored. */
interface PartRest {
  readonly rest: Exclude<Received, { readonly bytes: Uint8Array }>;
  readonly onStop: 'keep what came' | 'all or nothing';
  /** Says that the sender went away. */
  leave(): void;
}

/** Uploads of all repositories. */
export class Uploads {
  readonly #context: BlobContext;
  readonly #blobs: PushedBlobs;
  readonly #finisher: UploadFinisher;
  readonly #hashes = new RunningHashes();
  readonly #large = new Gate(LARGE_AT_ONCE);
  readonly #settling = new Settling();

  constructor(context: BlobContext, blobs: PushedBlobs) {
    this.#context = context;
    this.#blobs = blobs;
    this.#finisher = new UploadFinisher(context, blobs, this.#hashes);
  }

  /**
   * Begins an upload.
   * @param algorithm the one that its digest will have, where the client says so: then nothing has to be read again.
   * @throws IngotError TOOMANYREQUESTS when too many were begun and never finished.
   */
  async begin(repository: RepositoryName, algorithm?: DigestAlgorithm): Promise<UploadStatus> {
    await this.#requireRoom(repository);
    const id = newId(this.#context);
    const at = this.#at();
    await this.#own
      .insertInto('oci_uploads')
      .values({ id, repository, size_bytes: 0, parts: 0, bytes: null, at })
      .execute();
    if (algorithm !== undefined && algorithm !== 'sha256') this.#hashes.keep(id, newHashes(['sha256', algorithm]));
    return { id, sizeBytes: 0 };
  }

  /** Says how far an upload is. Throws BLOB_UPLOAD_UNKNOWN. */
  async status(repository: RepositoryName, id: string): Promise<UploadStatus> {
    const { size_bytes } = await this.#find(repository, id);
    return { id, sizeBytes: size_bytes };
  }

  /**
   * Takes the next bytes of an upload. When their sender goes away, what came is kept as far as it was stored.
   * @throws IngotError BLOB_UPLOAD_UNKNOWN, RANGE_INVALID when they do not follow what came before, SIZE_INVALID.
   */
  async append(repository: RepositoryName, id: string, body: PartBody): Promise<UploadStatus> {
    const row = await this.#find(repository, id);
    return { id, sizeBytes: (await this.#append(row, body, 'keep what came')).size_bytes };
  }

  /**
   * Makes a blob of an upload, with the last bytes of it if there are some. Whatever was called by a wrong digest is gone.
   * @throws IngotError BLOB_UPLOAD_UNKNOWN, RANGE_INVALID, SIZE_INVALID, DIGEST_INVALID.
   */
  async finish(repository: RepositoryName, id: string, digest: OciDigest, body?: PartBody): Promise<void> {
    const row = await this.#find(repository, id);
    if (body === undefined) return await this.#finish(row, digest);
    if (row.size_bytes > 0) return await this.#finish(await this.#append(row, body, 'all or nothing'), digest);
    checkFollows(row, body);
    try {
      await this.put(repository, digest, body);
    } catch (error) {
      if (isWrongDigest(error)) await this.#remove(id);
      throw error;
    }
    await this.#remove(id);
  }

  /** Gives an upload up. Throws BLOB_UPLOAD_UNKNOWN. */
  async cancel(repository: RepositoryName, id: string): Promise<void> {
    await this.#find(repository, id);
    await this.#remove(id);
  }

  /**
   * Takes a whole blob in one request: one pass over its bytes.
   * @throws IngotError DIGEST_INVALID when they are others, SIZE_INVALID; `interrupted`, and nothing is kept.
   */
  async put(repository: RepositoryName, digest: OciDigest, body: IncomingBody): Promise<void> {
    const received = await receiveBody(body, this.#context.largestBytes);
    const { algorithm } = splitDigest(digest);
    if ('bytes' in received) {
      const found = ociDigestOf(received.bytes, algorithm);
      if (found !== digest) throw otherBytes(digest, found);
      await this.#blobs.stage(repository, digest, received.bytes);
      return;
    }
    const hash = algorithm === 'sha256' ? undefined : createOciDigester(algorithm);
    const check = (content: Digest): void => {
      const found = hash?.finish() ?? asOciDigest(content);
      if (found !== digest) throw otherBytes(digest, found);
    };
    const { sizeBytes } = body;
    const extra = await this.#large.through(async () =>
      storeBody(
        this.#context,
        {
          open: () => received.stream,
          reader: received.blocks?.('fail'),
          sizeBytes: sizeBytes ?? EXPECTED_BYTES,
          openEnded: sizeBytes === undefined,
          base: await basesOf(this.#context, repository, sizeBytes),
          ...(hash && { onBytes: (bytes) => hash.update(bytes) }),
        },
        this.#blobs.keeping(repository, digest, check),
      ),
    );
    await releaseHoldings(this.#context, extra);
  }

  /** Gives up what nothing came for in a day. Gives how many. */
  async expire(): Promise<number> {
    const before = new Date(this.#context.now().getTime() - EXPIRE_MS).toISOString();
    const rows = await this.#own.selectFrom('oci_uploads').select('id').where('at', '<', before).limit(1000).execute();
    for (const { id } of rows) await this.#remove(id);
    return rows.length;
  }

  /** Who lost the connection asks at once how much has come: what is still brought to the store is waited for. */
  async #find(repository: RepositoryName, id: string): Promise<OciUploadRow> {
    await this.#settling.settled(id);
    return await findUpload(this.#own, repository, id);
  }

  async #append(row: OciUploadRow, body: PartBody, onStop: PartRest['onStop']): Promise<OciUploadRow> {
    checkFollows(row, body);
    const room = this.#context.largestBytes - row.size_bytes;
    const gathered = row.parts > 0 ? 0 : STAGED_BYTES - row.size_bytes;
    const received = await receiveBody(body, room, gathered);
    if (!('bytes' in received)) {
      if (row.parts >= MAX_PARTS) throw outOfOrder(`the upload has ${MAX_PARTS} parts already`, row.size_bytes);
      return await this.#large.through(() =>
        this.#settling.through(row.id, (leave) => this.#appendPart(row, body, { rest: received, onStop, leave })),
      );
    }
    checkWhole(body, received.bytes.byteLength);
    if (received.bytes.byteLength === 0) return row;
    const bytes = Buffer.concat([row.bytes ?? new Uint8Array(0), received.bytes]);
    const next = { ...row, size_bytes: bytes.byteLength, bytes, at: this.#at() };
    await advance(this.#own, row, next);
    return next;
  }

  async #appendPart(row: OciUploadRow, body: PartBody, { rest, onStop, leave }: PartRest): Promise<OciUploadRow> {
    const before = row.bytes?.byteLength ?? 0;
    const running = this.#runningHash(row, body);
    let stopped: IngotError | undefined;
    const keeps = onStop === 'keep what came';
    const onEnd = (why: IngotError): void => {
      stopped = why;
      leave();
    };
    const { stream: coming, blocks } = rest;
    const stream = keeps ? untilItStops(coming, onEnd) : coming;
    const reader = before === 0 ? blocks?.(keeps ? onEnd : 'fail') : undefined;
    const size = sizeOf(body);
    const next = await storeBody(
      this.#context,
      {
        open: () => after(row.bytes, stream),
        reader,
        sizeBytes: before + (size ?? EXPECTED_BYTES),
        openEnded: keeps || size === undefined,
        base: await basesOf(
          this.#context,
          parseRepository(row.repository),
          body.range === undefined ? size : undefined,
        ),
        ...(running && { onBytes: (bytes) => addBytes(running, bytes) }),
      },
      {
        check: ({ sizeBytes }) => {
          const came = sizeBytes - before;
          if (stopped !== undefined && came === 0) throw stopped;
          if (stopped === undefined) checkWhole(body, came);
        },
        note: (own, held) => this.#notePart(own, row, held, before),
      },
    );
    if (running !== undefined) this.#hashes.keep(row.id, { ...running, sizeBytes: next.size_bytes });
    if (stopped !== undefined) throw stopped;
    return next;
  }

  async #notePart(
    own: Kysely<OwnTables>,
    row: OciUploadRow,
    { content, sizeBytes, holding }: HeldBytes,
    before: number,
  ): Promise<OciUploadRow> {
    const next = {
      ...row,
      size_bytes: row.size_bytes - before + sizeBytes,
      parts: row.parts + 1,
      bytes: null,
      at: this.#at(),
    };
    await advance(own, row, next);
    await own
      .insertInto('oci_upload_parts')
      .values({ upload: row.id, number: row.parts, content, size_bytes: sizeBytes, holding })
      .execute();
    return next;
  }

  /** Hashes for what is likely to come in several parts: a client that sends one part says nothing of where it belongs. */
  #runningHash({ id, size_bytes, parts }: OciUploadRow, { range }: PartBody): RunningHash | undefined {
    if (range === undefined && parts === 0 && !this.#hashes.has(id)) return undefined;
    return this.#hashes.begin(id, parts === 0 ? 0 : size_bytes);
  }

  async #finish(row: OciUploadRow, digest: OciDigest): Promise<void> {
    try {
      await this.#finisher.finish(row, digest);
    } catch (error) {
      if (isWrongDigest(error)) await this.#remove(row.id);
      throw error;
    }
    this.#hashes.forget(row.id);
  }

  async #remove(id: string): Promise<void> {
    const parts = await this.#own.transaction().execute(async (own) => {
      await own.deleteFrom('oci_uploads').where('id', '=', id).execute();
      return await own.deleteFrom('oci_upload_parts').where('upload', '=', id).returning('holding').execute();
    });
    this.#hashes.forget(id);
    await releaseHoldings(
      this.#context,
      parts.map(({ holding }) => holding),
    );
  }

  async #requireRoom(repository: RepositoryName): Promise<void> {
    const isFull = async (): Promise<boolean> => {
      const { n, own } = await this.#own
        .selectFrom('oci_uploads')
        .select(({ fn, eb }) => [
          fn.countAll<number | string | bigint>().as('n'),
          fn.sum<number | string | null>(eb.case().when('repository', '=', repository).then(1).else(0).end()).as('own'),
        ])
        .executeTakeFirstOrThrow();
      return Number(n) >= MAX_OPEN_UPLOADS || Number(own ?? 0) >= MAX_UPLOADS_OF_ONE;
    };
    if (!(await isFull())) return;
    await this.expire();
    if (!(await isFull())) return;
    throw new IngotError('overloaded', 'too many uploads were begun and not finished', {
      hint: 'finish or cancel some; each goes when nothing came for it in a day',
    });
  }

  #at(): string {
    return this.#context.now().toISOString();
  }

  get #own(): Kysely<OwnTables> {
    return this.#context.database.own;
  }
}

/** How many bytes a request brings, as far as it says so. */
function sizeOf({ sizeBytes, range }: PartBody): number | undefined {
  return range === undefined ? sizeBytes : range.end - range.start;
}

/** Refuses what begins elsewhere than behind what has come. */
function checkFollows({ size_bytes }: OciUploadRow, { range, sizeBytes }: PartBody): void {
  if (range === undefined) return;
  if (range.start !== size_bytes)
    throw outOfOrder(`these bytes begin at ${range.start}, and ${size_bytes} have come`, size_bytes);
  if (sizeBytes !== undefined) checkWhole({ range }, sizeBytes);
}

function checkWhole(
  body: { readonly range?: PartRange | undefined; readonly sizeBytes?: number | undefined },
  came: number,
): void {
  const said = body.range === undefined ? body.sizeBytes : body.range.end - body.range.start;
  if (said !== undefined && said !== came)
    throw ociError('SIZE_INVALID', `${came} bytes came where ${said} were announced`);
}

function isWrongDigest(error: unknown): boolean {
  return isIngotError(error) && error.details.oci === 'DIGEST_INVALID';
}
