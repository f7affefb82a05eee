/** Finding files, and saying in one short text whether any of them changed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './paths.mjs';

const NEVER = new Set(['node_modules', 'dist', '__pycache__', '.venv', '.demo', '.cache', '.git']);

/** All files under `directory`, sorted, without build output; empty when there is no such directory. */
export function filesUnder(directory, accept = () => true) {
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  }
  const found = entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return NEVER.has(entry.name) ? [] : filesUnder(path, accept);
    return entry.isFile() && accept(path) ? [path] : [];
  });
  return found.sort();
}

/** A path as the repository spells it: relative to the root, with forward slashes. */
export const repositoryPath = (path) => relative(ROOT, path).replaceAll('\\', '/');

/** A text that differs when a file was added, removed or written since: path, size and time of each. */
export function fingerprintOfStats(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const stat = statSync(path);
    hash.update(`${repositoryPath(path)}\0${stat.size}\0${stat.mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** A text that differs when the bytes of a file, or one of the `extra` texts, differ. A missing file counts as empty. */
export function fingerprintOfBytes(paths, extra = []) {
  const hash = createHash('sha256');
  for (const path of paths) {
    hash.update(`${repositoryPath(path)}\0`);
    hash.update(readOr(path, ''));
    hash.update('\0');
  }
  for (const text of extra) hash.update(`${text}\0`);
  return hash.digest('hex');
}

/** The text of a file, or `fallback` when it does not exist. */
export function readOr(path, fallback) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return fallback;
    throw error;
  }
}
