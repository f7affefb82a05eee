import type { DirectoryEntry } from 'ssh2';
import type { BlobEntry } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { compareKeys } from '../key.ts';
import { type FileNames, INNER_FILE } from '../local/names.ts';
import { DIRECTORY_FORM_MARK } from '../local/place.ts';
import type { SftpFiles } from './files.ts';

/** What a walk looks for. */
export interface WalkOptions {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly names: FileNames;
}

type Found = BlobEntry | { readonly key: string; readonly path: string };

/** Lists the blobs below a root in the order of their keys, holding one directory of each level in memory. */
export async function* walkRemote(files: SftpFiles, root: string, options: WalkOptions): AsyncIterable<BlobEntry> {
  const base = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  const segments = base.split('/').slice(0, -1);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return;
  const call = { operation: 'blob.list', signal: options.signal };
  const directoryForm = (await files.stat(`${root}/${DIRECTORY_FORM_MARK}`, call)) !== undefined;
  const path = [root, ...segments.map(options.names.nameOf)].join('/');
  yield* walkDirectory(files, path, base, directoryForm, options);
}

async function* walkDirectory(
  files: SftpFiles,
  path: string,
  base: string,
  directoryForm: boolean,
  options: WalkOptions,
): AsyncIterable<BlobEntry> {
  const call = { operation: 'blob.list', signal: options.signal };
  const entries = (await files.list(path, call)) ?? [];
  const found: Found[] = [];
  for (const entry of entries) {
    const one = foundAt(path, base, entry, options.names);
    if (one === undefined || !isWanted(one.key, options)) continue;
    const inner = directoryForm && 'path' in one ? await files.stat(`${one.path}/${INNER_FILE}`, call) : undefined;
    found.push(inner === undefined ? one : { key: one.key.slice(0, -1), ...described(inner) });
  }
  found.sort((a, b) => compareKeys(a.key, b.key));
  for (const one of found) {
    stopIfInterrupted(options.signal, 'blob.list');
    if ('path' in one) yield* walkDirectory(files, one.path, one.key, directoryForm, options);
    else if (isWanted(one.key, options)) yield one;
  }
}

function foundAt(path: string, base: string, { filename, attrs }: DirectoryEntry, names: FileNames): Found | undefined {
  const segment = names.segmentOf(filename);
  if (segment === undefined) return undefined;
  if (attrs.isDirectory()) return { key: `${base}${segment}/`, path: `${path}/${filename}` };
  return attrs.isFile() ? { key: base + segment, ...described(attrs) } : undefined;
}

/** What a store says of a file. */
export function described({ size, mtime }: { readonly size: number; readonly mtime: number }) {
  return { sizeBytes: size, modifiedAt: new Date(mtime * 1000) };
}

function isWanted(key: string, { prefix, after }: WalkOptions): boolean {
  if (!key.startsWith(prefix) && !(key.endsWith('/') && (prefix.startsWith(key) || prefix === key.slice(0, -1))))
    return false;
  if (after === undefined || compareKeys(key, after) > 0) return true;
  // Everything under a directory that sorts before `after` does too, unless `after` itself lies in it.
  return key.endsWith('/') && after.startsWith(key);
}
