/**
 * Paths in a package: POSIX, relative, normalised, safe to create under any directory. The same rule is asked when a
 * package is read and when a manifest, which may come from anywhere, is unpacked.
 */

/** A path that was checked by {@link whyUnsafePath}. */
export type PackagePath = string & { readonly __brand: 'PackagePath' };

const MAX_PATH_BYTES = 1024;
const MAX_SEGMENT_BYTES = 255;
const ASCII = /^[ -~]*$/;

/** Says whether a text is a safe path in a package. */
export function isPackagePath(path: string): path is PackagePath {
  return whyUnsafePath(path) === undefined;
}

/** Says what makes a path unfit for a package, or gives undefined for a good one. */
export function whyUnsafePath(path: string): string | undefined {
  if (path === '') return 'it is empty';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'it is absolute';
  if (path.includes('\\')) return 'it holds a backslash';
  if (hasControlCharacter(path)) return 'it holds a control character';
  if (/\p{Surrogate}/u.test(path)) return 'it is not valid Unicode';
  for (const segment of path.split('/')) {
    if (segment === '') return 'it has an empty part';
    if (segment === '.' || segment === '..') return `it has a "${segment}" part`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `a part is longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** Orders paths by their UTF-8 bytes, which is the order of every listing of a package. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === length) return Math.sign(a.length - b.length);
  return Math.sign(rankOf(a.charCodeAt(at)) - rankOf(b.charCodeAt(at)));
}

/** UTF-16 orders as UTF-8 does, but for surrogates: they stand for what comes behind all other characters. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** What a file system that ignores case and Unicode form makes of a path. */
export function foldPath(path: string): string {
  return ASCII.test(path) ? path.toLowerCase() : path.normalize('NFC').toLowerCase().normalize('NFC');
}

/**
 * Finds the first pair of paths that cannot live beside each other everywhere: equal but for case or Unicode form,
 * or one a file where the other needs a folder.
 */
export function findCollision(paths: Iterable<string>): readonly [string, string] | undefined {
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  let lastFolder = '';
  for (const path of paths) {
    const folded = foldPath(path);
    const other = files.get(folded) ?? folders.get(folded);
    if (other !== undefined) return [other, path];
    files.set(folded, path);
    // Most files lie beside the one before: their folders were looked at.
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    if (folder === lastFolder) continue;
    lastFolder = folder;
    const clash = folderCollision(path, files, folders);
    if (clash !== undefined) return clash;
  }
  return undefined;
}

function folderCollision(
  path: string,
  files: ReadonlyMap<string, string>,
  folders: Map<string, string>,
): readonly [string, string] | undefined {
  for (const [folder, original] of foldersOf(path)) {
    const folded = foldPath(folder);
    const clash = files.get(folded);
    if (clash !== undefined) return [clash, original];
    const known = folders.get(folded);
    if (known !== undefined && known.slice(0, folder.length) !== folder) return [known, original];
    if (known === undefined) folders.set(folded, original);
  }
  return undefined;
}

function* foldersOf(path: string): Generator<readonly [folder: string, original: string]> {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) yield [path.slice(0, at), path];
}
