/**
 * Contents of the store as clients of the server reach them: an *upload* belongs to whoever began it, a *pack* is taken
 * when it is what it says, and a *publication* is checked before it becomes a version.
 */

import { RecipeReader } from '@ingot/core/content/recipe-reader';
import { parsePage } from '@ingot/core/content/recipe';
import type { Kysely } from 'kysely';
import type { Services } from '../services.ts';
import { BlobAccess } from './blob-access.ts';
import { ModelNames } from './model-names.ts';
import { PackIntake } from './pack-intake.ts';
import { PackLedger, type PieceReader } from './pack-ledger.ts';
import { PublicationCheck } from './publication-check.ts';
import type { ContentTables } from './tables.ts';
import { UploadLedger } from './upload-ledger.ts';
import { VersionNotes } from './version-notes.ts';

/** The parts of this room, put together. Disposing it ends what runs beside requests. */
export interface ServedContents extends Disposable {
  readonly access: BlobAccess;
  readonly uploads: UploadLedger;
  readonly intake: PackIntake;
  readonly packs: PackLedger;
  readonly notes: VersionNotes;
  readonly publications: Pick<PublicationCheck, 'checked'>;
  readonly tables: Kysely<ContentTables>;
}

/** Puts the room together over a store and its database. */
export function createServedContents(
  services: Pick<Services, 'store' | 'authorizer' | 'log' | 'now'> & {
    readonly database: Pick<Services['database'], 'index'> & { readonly own: Kysely<ContentTables> };
  },
): ServedContents {
  const { store, database, authorizer, log, now } = services;
  const tables = database.own;
  const names = new ModelNames(database.index);
  const uploads = new UploadLedger(tables, now);
  const packs = new PackLedger(tables, pieceReader(new RecipeReader(store.blobs)));
  const notes = new VersionNotes({ index: database.index, names, ledger: packs, log });
  const access = new BlobAccess({
    authorizer,
    uploads,
    packs,
    names,
    catchUp: (mayRead) => notes.catchUp(mayRead),
  });
  const publications = new PublicationCheck({ blobs: store.blobs, contents: store.contents, access, tables });
  return {
    access,
    uploads,
    intake: new PackIntake(store.blobs),
    packs,
    notes,
    publications,
    tables,
    [Symbol.dispose]: () => notes[Symbol.dispose](),
  };
}

function pieceReader(reader: RecipeReader): PieceReader {
  return {
    openRecipe: (ref, options) => reader.openRecipe(ref, options),
    async *pagesOf(recipe) {
      for await (const { ref, bytes } of reader.pageBytes(recipe.pages, {}))
        yield parsePage(bytes, `the page ${ref.digest}`);
    },
  };
}
