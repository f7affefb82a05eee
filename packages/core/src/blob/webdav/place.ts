/**
 * Create-if-absent on WebDAV: a collection that holds the finished file is moved, with `Overwrite: F`, to the name of
 * the blob. A file alone would not do: servers look whether the name is taken and then rename, and between the two
 * another writer's file is replaced. A directory that is not empty is replaced by no rename.
 */

import { IngotError } from '../../errors.ts';
import { INNER_FILE } from '../local/names.ts';
import type { Dav, DavListing, DavOptions } from './dav.ts';
import type { Folders } from './folders.ts';

const ATTEMPTS = 6;

/** What lies at a path: a blob in a collection of its own, a blob as a plain file, or a collection of blobs. */
export type DavKind = 'blob' | 'file' | 'folder';

/** Says what a listing shows. */
export function kindOf(listing: DavListing): DavKind {
  if (!listing.self.isCollection) return 'file';
  return listing.children.has(INNER_FILE) ? 'blob' : 'folder';
}

/**
 * Gives a finished collection its final name, or says that the name is taken.
 * @throws IngotError `usage` when the name is that of a folder or lies under a blob; `unavailable` when it cannot be told.
 */
export async function placeCollection(
  dav: Dav,
  folders: Folders,
  temporary: string,
  target: string,
  options: DavOptions,
): Promise<'created' | 'exists'> {
  const parent = target.slice(0, Math.max(0, target.lastIndexOf('/')));
  await folders.checkHoldsBlobs(parent, options);
  for (let tries = 1; ; tries += 1) {
    const reply = await dav.move(temporary, target, options);
    if (reply.status === 201 || reply.status === 204 || reply.status === 200) return 'created';
    if (reply.status === 401 || reply.status === 507) throw reply.error();
    if (await isTaken(dav, target, options)) return 'exists';
    if (tries === ATTEMPTS) throw reply.status === 403 ? reply.error() : unplaced(reply.error(), target);
    // A parent that is missing is 409 by the book and 500 on Apache.
    if (reply.status !== 412 && reply.status !== 423) await makeParent(dav, folders, parent, temporary, options);
  }
}

async function isTaken(dav: Dav, target: string, options: DavOptions): Promise<boolean> {
  const there = await dav.look(target, options);
  if (there === undefined) return false;
  if (kindOf(there) !== 'folder') return true;
  throw new IngotError('usage', `"${target}" is a folder: other blobs lie under this key`, {
    operation: options.operation,
  });
}

async function makeParent(
  dav: Dav,
  folders: Folders,
  parent: string,
  temporary: string,
  options: DavOptions,
): Promise<void> {
  const made = await folders.ensure(parent, options).catch((error: unknown) => error);
  const there = made === 'made' ? undefined : await dav.look(parent, options);
  if (there !== undefined && !there.self.isCollection)
    throw new IngotError('usage', `"${parent}" is a blob, so nothing can be written under it`, {
      operation: options.operation,
    });
  if (made instanceof Error) throw made;
  if (made === 'made') return;
  if ((await dav.file(`${temporary}/${INNER_FILE}`, options)) === undefined)
    throw new IngotError('unavailable', `what was written to "${temporary}" is not there any more`, {
      operation: options.operation,
    });
}

// A server that keeps refusing a free name may do so for a moment only: a lock, another writer's half-done move.
function unplaced(error: IngotError, target: string): IngotError {
  return new IngotError('unavailable', `the server does not give "${target}" its name: ${error.message}`, {
    operation: 'blob.write',
    details: error.details,
    cause: error,
  });
}
