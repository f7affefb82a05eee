/**
 * A *baked* package lies in a directory whole, with all that a server needs to answer with it: its files as they were
 * pushed, and beside them in `.ingot/` the manifest, what was captured, and `baked.json`, which says which version it is.
 * It needs no cache, no registry and no network.
 */

import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Capture } from '../capture.ts';
import { IngotError, systemErrorCode } from '../errors.ts';
import { canonicalJson } from '../json.ts';
import type { ResolvedModel } from '../serving/runtime.ts';
import type { CachedPackage } from './cache.ts';
import { digestText } from './cache-record.ts';
import { toServable } from './cached-package.ts';
import { captureBytes, readCapture } from './captured.ts';
import { fields, list, maybe, number, size, text } from './decode.ts';
import { fileContents } from './file-contents.ts';
import type { HashedFile } from './manifest.ts';
import { parseManifest } from './manifest-read.ts';
import { isPackagePath } from './paths.ts';

/** Which version was baked, as its answers name it. */
export type BakedVersion = Omit<ResolvedModel, 'source' | 'staleSince'>;

/** A baked package that was opened. */
export interface BakedPackage {
  readonly version: BakedVersion;
  readonly cached: CachedPackage;
}

/** The directory of what is not the package's own. */
export const BAKED_DIRECTORY = '.ingot';

const FORMAT = 1;

interface BakedDocument extends BakedVersion {
  readonly baked: number;
  readonly files: readonly HashedFile[];
}

const decode = fields<BakedDocument>({
  baked: number,
  model: text,
  modelId: text,
  number: size,
  version: maybe(text),
  label: maybe(text),
  digest: digestText,
  files: list(
    fields<HashedFile>({
      path: (value, at) => {
        const found = text(value, at);
        if (isPackagePath(found)) return found;
        throw new IngotError('invalid-package', `${at} is no path of a package`);
      },
      digest: digestText,
      sizeBytes: size,
      mode: size,
    }),
  ),
});

/** A document that lies beside a baked package's files. */
export interface BakedDocumentFile {
  /** Below the package's directory: `.ingot/manifest.json`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Gives the documents of a package that is baked; the same version gives the same bytes.
 * @param manifest its bytes. Default: read beside the cached files.
 * @throws IngotError `invalid-package` where the package has files of that name itself.
 */
export async function bakedDocuments(
  cached: Pick<CachedPackage, 'description' | 'directory' | 'captured'>,
  version: BakedVersion,
  manifest?: Uint8Array,
): Promise<readonly BakedDocumentFile[]> {
  const { files } = cached.description;
  const taken = files.find(({ path }) => path.split('/', 1)[0] === BAKED_DIRECTORY);
  if (taken !== undefined)
    throw new IngotError('invalid-package', `the package holds "${taken.path}", where a baked one has its documents`, {
      operation: 'bake',
    });
  const listed = files.map(({ path, digest, sizeBytes, mode }) => ({ path, digest, sizeBytes, mode }));
  const document = { baked: FORMAT, ...version, files: listed };
  return [
    { path: `${BAKED_DIRECTORY}/baked.json`, bytes: Buffer.from(`${canonicalJson(document)}\n`) },
    {
      path: `${BAKED_DIRECTORY}/manifest.json`,
      bytes: manifest ?? (await readFile(join(dirname(cached.directory), 'manifest.json'))),
    },
    ...(cached.captured === undefined
      ? []
      : [{ path: `${BAKED_DIRECTORY}/captured.json`, bytes: captureBytes(cached.captured) }]),
  ];
}

/** Says whether a directory holds a baked package. */
export function isBaked(directory: string): Promise<boolean> {
  return stat(join(directory, BAKED_DIRECTORY, 'baked.json')).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * Opens a baked package: a look at the sizes of its files, and its documents, which are compared with their digests.
 * @throws IngotError `not-found` where there is none, `invalid-package` (malformed), `integrity` when a file is missing or
 *   of another size, or the manifest is another.
 */
export async function openBakedPackage(directory: string): Promise<BakedPackage> {
  const { baked, files, ...version } = decode(JSON.parse(await document(directory, 'baked.json')), 'baked.json');
  if (baked !== FORMAT)
    throw new IngotError(
      'invalid-package',
      `${directory} was baked in form ${baked}, and this release reads ${FORMAT}`,
    );
  const captured = await readCaptured(directory);
  const contents = fileContents(files);
  const manifest = Buffer.from(await document(directory, 'manifest.json'));
  const description = parseManifest(manifest, {
    expected: version.digest,
    contents,
    ...(captured !== undefined && { captured }),
  });
  await Promise.all(description.files.map((file) => checkFile(directory, file)));
  const cached = {
    manifest: version.digest,
    directory,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    description,
    ...(captured !== undefined && { captured }),
    servable: toServable(description, directory, captured),
  };
  return { version, cached };
}

async function document(directory: string, name: string): Promise<string> {
  try {
    return await readFile(join(directory, BAKED_DIRECTORY, name), 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause;
    throw new IngotError('not-found', `there is no baked model in ${directory}: it has no ${BAKED_DIRECTORY}/${name}`, {
      operation: 'baked.open',
      cause,
    });
  }
}

async function readCaptured(directory: string): Promise<Capture | undefined> {
  try {
    return readCapture(await readFile(join(directory, BAKED_DIRECTORY, 'captured.json')));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function checkFile(
  directory: string,
  { path, sizeBytes }: Pick<HashedFile, 'path' | 'sizeBytes'>,
): Promise<void> {
  const found = await stat(join(directory, path)).catch(() => undefined); // told as missing
  if (found?.isFile() === true && found.size === sizeBytes) return;
  const why = found === undefined ? 'is missing' : `has ${found.size} bytes and not ${sizeBytes}`;
  throw new IngotError('integrity', `the baked model in ${directory} is damaged: ${path} ${why}`, {
    operation: 'baked.open',
  });
}
