import type { Digest } from '@ingot/core/digest';
import type { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { OwnTables } from '../database/own-tables.ts';
import { keptDigest } from './blob-context.ts';
import type { OciUploadRow } from './blob-tables.ts';
import { ociError } from './oci-error.ts';
import type { RepositoryName } from './repository.ts';

type Own = Kysely<OwnTables>;

/** A part of an upload: a content of a holding. */
export interface UploadPart {
  readonly content: Digest;
  readonly sizeBytes: number;
  readonly holding: string;
}

/** Finds an upload of a repository. Throws BLOB_UPLOAD_UNKNOWN. */
export async function findUpload(own: Own, repository: RepositoryName, id: string): Promise<OciUploadRow> {
  const row = await own
    .selectFrom('oci_uploads')
    .selectAll()
    .where('id', '=', id)
    .where('repository', '=', repository)
    .executeTakeFirst();
  if (row === undefined) throw noUpload(id);
  return row;
}

/** The parts of an upload, in order. */
export async function partsOf(own: Own, upload: string): Promise<readonly UploadPart[]> {
  const rows = await own
    .selectFrom('oci_upload_parts')
    .selectAll()
    .where('upload', '=', upload)
    .orderBy('number')
    .execute();
  return rows.map(({ content, size_bytes, holding }) => ({
    content: keptDigest(content),
    sizeBytes: size_bytes,
    holding,
  }));
}

/**
 * Says that an upload has more now, if it is still as it was when this came.
 * @throws IngotError BLOB_UPLOAD_UNKNOWN, RANGE_INVALID.
 */
export async function advance(
  own: Own,
  before: OciUploadRow,
  to: Pick<OciUploadRow, 'size_bytes' | 'parts' | 'bytes' | 'at'>,
): Promise<void> {
  const row = await own
    .updateTable('oci_uploads')
    .set(to)
    .where('id', '=', before.id)
    .where('size_bytes', '=', before.size_bytes)
    .where('parts', '=', before.parts)
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) return;
  throw outOfOrder('something else came for this upload at the same time', before.size_bytes);
}

/**
 * Ends an upload, if it is still as it was. Gives nothing of its parts back.
 * @throws IngotError RANGE_INVALID.
 */
export async function endUpload(own: Own, { id, size_bytes, parts }: OciUploadRow): Promise<void> {
  const row = await own
    .deleteFrom('oci_uploads')
    .where('id', '=', id)
    .where('size_bytes', '=', size_bytes)
    .where('parts', '=', parts)
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) throw outOfOrder('something else came for this upload at the same time', size_bytes);
  await own.deleteFrom('oci_upload_parts').where('upload', '=', id).execute();
}

/** Refuses what does not follow what came before. */
export function outOfOrder(message: string, sizeBytes: number): IngotError {
  return ociError('RANGE_INVALID', message, { detail: { received: sizeBytes } });
}

/** Refuses what is no upload of a repository. */
export function noUpload(id: string): IngotError {
  return ociError('BLOB_UPLOAD_UNKNOWN', `there is no upload ${id.slice(0, 64)} here`, {
    hint: 'it was finished, cancelled, or nothing came for a day: begin another one',
  });
}
