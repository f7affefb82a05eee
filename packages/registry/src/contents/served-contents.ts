/**
 * Contents of the store as clients of the server reach them: an *upload* belongs to whoever began it, a *pack* is taken
 * when it is what it says, and a *publication* is checked before it becomes a version.
 */

import { RecipeReader } from '@ingot/core/content/recipe-reader';
import { parsePage } from '@ingot/core/content/recipe';
import type { ModelName } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { Services } from '../services.ts';
import { BlobAccess } from './blob-access.ts';
import { FooterShelf } from './footer-shelf.ts';
import { ModelNames } from './model-names.ts';
import { PackIntake, type PackIntakeOptions } from './pack-intake.ts';
import { PackSpool, type SpoolLimits } from './pack-spool.ts';
import { PackLedger, type PieceReader } from './pack-ledger.ts';
import { PublicationCheck } from './publication-check.ts';
import type { ContentTables } from './tables.ts';
import { UploadLedger } from './upload-ledger.ts';
import { VersionNotes } from './version-notes.ts';

/** The parts of this room, put together. Disposing it ends what runs beside requests. */
export interface ServedContents extends AsyncDisposable {
  readonly access: BlobAccess;
  readonly uploads: UploadLedger;
  readonly intake: PackIntake;
  readonly spool: PackSpool;
  readonly packs: PackLedger;
  readonly notes: VersionNotes;
  readonly publications: Pick<PublicationCheck, 'checked'>;
  readonly tables: Kysely<ContentTables>;
}

/** What the room is put together over. */
export interface ServedContentsOptions
  extends Pick<Services, 'store' | 'authorizer' | 'log' | 'now'>,
    Partial<Pick<PackIntakeOptions, 'pace'>> {
  readonly database: Pick<Services['database'], 'index'> & { readonly own: Kysely<ContentTables> };
  readonly index: Pick<ModelIndex, 'subscribe'>;
  /** Directory for packs that do not fit into memory while they arrive. */
  readonly scratch: string;
  /** How much packs that arrive may take. Default: as {@link PackSpool} says. */
  readonly limits?: SpoolLimits;
}

/** Puts the room together over a store and its database. */
export function createServedContents(options: ServedContentsOptions): ServedContents {
  const { store, database, authorizer, log, now, index } = options;
  const { blobs } = store;
  const tables = database.own;
  const names = new ModelNames(database.index);
  const uploads = new UploadLedger({ tables, blobs, now, log });
  const contents = new RecipeReader(blobs);
  const pages = pieceReader(contents);
  const packs = new PackLedger(tables, pages);
  const notes = new VersionNotes({ index: database.index, events: index, names, ledger: packs, log });
  const catchUp = (mayRead: (model: ModelName) => boolean) => notes.catchUp(mayRead);
  const access = new BlobAccess({ authorizer, uploads, packs, names, catchUp });
  const footers = new FooterShelf(blobs);
  const spool = new PackSpool(options.scratch, options.limits);
  const intake = new PackIntake({ blobs, spool, footers, ...(options.pace && { pace: options.pace }) });
  const publications = new PublicationCheck({ blobs, contents, pages, footers, spool, access, tables });
  const end = async (): Promise<void> => {
    uploads[Symbol.dispose]();
    await notes[Symbol.asyncDispose]();
  };
  return { access, uploads, intake, spool, packs, notes, publications, tables, [Symbol.asyncDispose]: end };
}

function pieceReader(reader: RecipeReader): PieceReader {
  return {
    openRecipe: (ref, options) => reader.openRecipe(ref, options),
    async *pagesOf(pages) {
      for await (const { ref, bytes } of reader.pageBytes(pages, {}))
        yield { page: ref, pieces: parsePage(bytes, `the page ${ref.digest}`) };
    },
  };
}
