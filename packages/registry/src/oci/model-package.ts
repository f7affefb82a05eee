import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecipeRef, Upload } from '@ingot/core/content/content-store';
import { isIngotError } from '@ingot/core/errors';
import type { Descriptor } from '@ingot/core/oci/oci-place';
import { unpackTarStream } from '@ingot/core/package/foreign/unpack-archive';
import { type KnownFile, type StoredPackage, storePackage } from '@ingot/core/store-package';
import { showTree } from '../artifacts/tree-directory.ts';
import type { ModelArtifact, ModelLayer } from './model-artifact.ts';
import type { OciBlob } from './oci-blobs.ts';
import { ociError } from './oci-error.ts';

/** What a package is made of. */
export interface ModelPackageOptions {
  readonly name: string;
  readonly scratch: string;
  readonly signal?: AbortSignal;
  /** Finds a blob of the repository. Throws MANIFEST_BLOB_UNKNOWN. */
  blob(descriptor: Descriptor): Promise<OciBlob>;
  /** Opens the upload, once it is known which recipes have the bytes already. */
  openUpload(base: readonly RecipeRef[]): Promise<Upload>;
}

const ROOT = 'files';
type FileLayer = ModelLayer & { readonly kind: 'file' };

/** A file of the package that lies in the repository as it is. */
interface FileBlob {
  readonly path: string;
  readonly sizeBytes: number;
  readonly layer: FileLayer;
  readonly blob: OciBlob;
}

/**
 * Puts the files of a pushed model into an upload, as a push of their directory would. Bytes of files that lie in the
 * store are not written again; tars are unpacked, safely.
 * @returns the upload, not sealed, and what the event of a version says of it.
 * @throws IngotError MANIFEST_INVALID for what can be no package, MANIFEST_BLOB_UNKNOWN, and as the store does.
 */
export async function storeModel(
  artifact: ModelArtifact,
  options: ModelPackageOptions,
): Promise<{ readonly upload: Upload; readonly stored: StoredPackage }> {
  const { scratch, name, signal } = options;
  const files = await fileBlobs(artifact, options);
  try {
    await using shown = await showTree(files, {
      scratch,
      root: ROOT,
      read: ({ blob }, range) => blob.read(range === undefined ? {} : { range }),
    });
    for (const { layer, path } of files) if (layer.isExecutable) await chmod(join(shown.path, below(path)), 0o755);
    for (const layer of artifact.layers) if (layer.kind === 'tar') await unpack(layer, shown.path, options);
    const known = new Map(files.map(({ path, blob }): [string, KnownFile] => [below(path), knownFile(blob)]));
    const upload = await options.openUpload(basesOf(files));
    try {
      const stored = await storePackage(shown.path, {
        upload,
        name,
        files: known,
        scratch,
        ...(signal !== undefined && { signal }),
      });
      return { upload, stored };
    } catch (error) {
      await upload[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    throw isIngotError(error, 'invalid-package')
      ? ociError('MANIFEST_INVALID', `it can be no version of a model: ${error.message}`, { cause: error })
      : error;
  }
}

async function fileBlobs({ layers }: ModelArtifact, { blob }: ModelPackageOptions): Promise<readonly FileBlob[]> {
  const files: FileBlob[] = [];
  for (const layer of layers) {
    if (layer.kind !== 'file') continue;
    const found = await blob(layer.descriptor);
    files.push({ path: `${ROOT}/${layer.path}`, sizeBytes: found.sizeBytes, layer, blob: found });
  }
  return files;
}

async function unpack(
  { descriptor, packing }: ModelLayer & { readonly kind: 'tar' },
  directory: string,
  { blob, signal }: ModelPackageOptions,
): Promise<void> {
  const { sizeBytes, read } = await blob(descriptor);
  const what = `the layer ${descriptor.digest}`;
  await unpackTarStream(read(), directory, { what, packing, packedBytes: sizeBytes, signal });
}

function knownFile(blob: OciBlob): KnownFile {
  return { digest: blob.content, sizeBytes: blob.sizeBytes, open: () => blob.read() };
}

function basesOf(files: readonly FileBlob[]): readonly RecipeRef[] {
  const refs = files.flatMap(({ blob }) => blob.recipe ?? []);
  return [...new Map(refs.map((ref) => [ref.digest, ref])).values()];
}

function below(path: string): string {
  return path.slice(ROOT.length + 1);
}
