/** The folders that the storage measurements move, made once a clone, and what is asked of folders. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, pythonOf, VENV } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';

export const MEBIBYTE = 2 ** 20;
/** Where everything of the storage measurements lies. */
export const STORAGE_HOME = inRoot('.cache/bench/storage');

const INSERTED = 4109;
const CHANGED_SHARE = 0.02;

/** Gives the folders `v1`, `v2` and `v2-scattered` of so many MiB, and how many bytes of a `v2` are new. */
export async function modelFolders(mebibytes, variants = ['v2', 'v2-scattered']) {
  const home = join(STORAGE_HOME, 'models', `${mebibytes}-${variants.length === 0 ? 'v1' : 'all'}`);
  if (!existsSync(home)) {
    const making = `${home}.${process.pid}`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    await run(pythonOf(VENV), [inRoot('bench/lib/model_folders.py'), making, String(mebibytes), ...variants], { label: 'making a model folder' });
    renameSync(making, home);
  }
  const at = (name) => join(home, name);
  return { v1: at('v1'), v2: at('v2'), 'v2-scattered': at('v2-scattered'), bytes: bytesUnder(at('v1')), changedBytes: Math.floor(mebibytes * MEBIBYTE * CHANGED_SHARE) + INSERTED };
}

/** Makes a folder of `count` small files that come to `mebibytes`, a thousand a directory at most. */
export function smallFiles(count, mebibytes) {
  const home = join(STORAGE_HOME, 'models', `small-${count}`);
  if (existsSync(home)) return home;
  const making = `${home}.${process.pid}`;
  const bytes = Math.floor((mebibytes * MEBIBYTE) / count);
  for (let index = 0; index < count; index++) {
    const folder = join(making, `part-${Math.floor(index / 1000)}`);
    if (index % 1000 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${String(index).padStart(5, '0')}.bin`), noise(index, bytes));
  }
  renameSync(making, home);
  return home;
}

function noise(seed, bytes) {
  const blocks = Array.from({ length: Math.ceil(bytes / 64) }, (_, index) => createHash('sha512').update(`${seed} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, bytes);
}

/** Reads what will be pushed, so that who comes first does not wait for the disk. */
export function warm({ v1, v2, 'v2-scattered': scattered }) {
  const buffer = Buffer.allocUnsafe(4 * MEBIBYTE);
  for (const path of [v1, v2, scattered].filter((folder) => existsSync(folder)).flatMap(filesOf)) {
    const file = openSync(path, 'r');
    while (readSync(file, buffer) > 0);
    closeSync(file);
  }
}

/** An empty place under a path: what was there is removed. */
export function fresh(...parts) {
  const path = join(STORAGE_HOME, ...parts);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

/** Paths of the files under a directory, sorted. */
export function filesOf(directory) {
  const paths = readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesOf(path) : [path];
  });
  return paths.sort();
}

/** Bytes of all files under directories; a file that has several names counts once. */
export function bytesUnder(...directories) {
  const seen = new Set();
  let bytes = 0;
  for (const path of directories.filter((directory) => existsSync(directory)).flatMap(filesOf)) {
    const { size, ino } = lstatSync(path);
    if (!seen.has(ino)) bytes += size;
    seen.add(ino);
  }
  return bytes;
}

/** Compares every file of `expected` with the one of the same path under `found`; throws where one is missing or differs. */
export function assertSame(expected, found) {
  for (const path of filesOf(expected)) {
    const other = join(found, path.slice(expected.length + 1));
    if (!existsSync(other)) throw new Error(`${other} was not pulled`);
    if (statSync(path).size !== statSync(other).size || !sameBytes(path, other)) throw new Error(`${other} is not what was pushed`);
  }
}

function sameBytes(one, other) {
  const [a, b] = [Buffer.allocUnsafe(4 * MEBIBYTE), Buffer.allocUnsafe(4 * MEBIBYTE)];
  const files = [openSync(one, 'r'), openSync(other, 'r')];
  try {
    for (;;) {
      const length = readSync(files[0], a);
      if (readSync(files[1], b) !== length || a.compare(b, 0, length, 0, length) !== 0) return false;
      if (length === 0) return true;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}
