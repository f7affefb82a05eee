import { createDigester, type Digest } from './digest.ts';
import type { SourceFileFacts, SourcePlace } from './source/place.ts';

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** All files below a path of a place. */
export async function filesBelow(
  place: SourcePlace,
  path: string,
  options: CallOptions = {},
): Promise<SourceFileFacts[]> {
  const files: SourceFileFacts[] = [];
  for await (const entry of place.list(path === '' ? '' : `${path}/`, { enters: () => true, ...options })) {
    if (entry.kind === 'file') files.push(entry);
  }
  return files;
}

/** The text of a small file. */
export async function readText(place: SourcePlace, path: string, options: CallOptions = {}): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of place.read(path, options)) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

/** SHA-256 of files, in their order; each is read. */
export async function digestsOf(
  place: SourcePlace,
  files: readonly SourceFileFacts[],
  options: CallOptions = {},
): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (const { path, objectVersion } of files) {
    const digester = createDigester();
    const version = objectVersion === undefined ? {} : { objectVersion };
    for await (const piece of place.read(path, { ...options, ...version })) digester.update(piece);
    digests.push(digester.finish());
  }
  return digests;
}
