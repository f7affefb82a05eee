/**
 * Stores a package whose files are contents already, and publishes nothing: a server that has taken the files of a model
 * one by one makes of them what a push of their directory would have stored.
 */

import type { Upload } from './content/content-store.ts';
import type { Digest } from './digest.ts';
import { withForeign } from './package/foreign/adapt.ts';
import { openForeign } from './package/foreign/open-foreign.ts';
import { hashPackage, type ReadFiles } from './package/hash-package.ts';
import { completePackage, draftPackage, packageError } from './package/read.ts';
import { readSource } from './package/source-file.ts';
import { putDocuments } from './push-documents.ts';
import { draftVersion } from './push-draft.ts';
import type { VersionDraft } from './registry/registry.ts';

/** A file that is stored, or at hand, and need not be read from the directory. */
export interface KnownFile {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Gives its bytes, when no earlier content can stand for them. */
  open(): AsyncIterable<Uint8Array>;
}

/** Options of {@link storePackage}. */
export interface StorePackageOptions {
  readonly upload: Upload;
  /** What the model is called until it is published; some formats have names of their own. */
  readonly name: string;
  /** Files of the directory by path; those that are not here are read from it. */
  readonly files: ReadonlyMap<string, KnownFile>;
  /** Folder for what has to be written. Default: the system's folder for temporary files. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

/** What the event of a version of this package would say, but for its recipe, which sealing the upload gives. */
export type StoredPackage = Omit<VersionDraft, 'recipe'>;

/**
 * Puts a package into an upload, as a push of the directory would. The directory shows its files with their paths and
 * sizes; the bytes of known ones are only looked at there as far as their formats need it.
 * @throws IngotError as `draftPackage` and `Upload.put` do.
 */
export async function storePackage(directory: string, options: StorePackageOptions): Promise<StoredPackage> {
  const { upload, name, files, signal, scratch } = options;
  await using foreign = await openForeign(directory, { ...(scratch && { scratch }), ...(signal && { signal }) });
  const draft = await draftPackage(directory, { name, ...(foreign && { foreign }), ...(signal && { signal }) });
  const { plan, problems } = await completePackage(draft, () =>
    hashPackage(draft.sources, { read: intoUpload(upload, files, signal) }),
  );
  if (plan === undefined) throw packageError(name, problems);
  const captured = withForeign(undefined, draft.captured);
  // No model card is written: what the model will be called is not known yet.
  const described = { ...(captured && { captured }) };
  await putDocuments(upload, plan, { ...described, ...(signal && { signal }) });
  return draftVersion(plan, described);
}

function intoUpload(upload: Upload, known: ReadonlyMap<string, KnownFile>, signal: AbortSignal | undefined): ReadFiles {
  return async (files) => {
    const puts = files.map(async ({ file, onBytes }) => {
      const found = known.get(file.path);
      const body = found ?? { sizeBytes: file.sizeBytes, open: () => readSource(file, signal) };
      return await upload.put(
        { role: 'file', path: file.path, ...body, ...(onBytes && { onBytes }) },
        { ...(signal && { signal }) },
      );
    });
    return (await Promise.all(puts)).map(({ digest }) => digest);
  };
}
