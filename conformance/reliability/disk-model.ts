/**
 * What a power cut may leave of a list of changes. A change is *settled* when a flush of its file, or of the directory
 * that its name is in, began after it and ended before the cut. What is not settled may be there, or not, or in part:
 * - `anything`: each such change for itself, in any combination: names without contents, contents without names.
 * - `journal`: names in the order in which they were made, up to any one of them, as with ext4 and XFS, where a flush of
 *   anything settles all names before it; contents that were not flushed are lost, torn, or zeros.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A change as `recording-disk.mjs` writes it. */
export type Change =
  | NameChange
  | SecondName
  | { readonly op: 'write'; readonly path: string; readonly at: number; readonly data: string }
  | { readonly op: 'sync'; readonly path: string; readonly covers: number }
  | { readonly op: 'ack' };

/** A name is made or removed. */
interface NameChange {
  readonly op: 'mkdir' | 'unlink' | 'rmdir' | 'create';
  readonly path: string;
}

/** A file gets another name. */
interface SecondName {
  readonly op: 'link' | 'rename';
  readonly from: string;
  readonly to: string;
}

/** A change with the files that it is about, which keep their identity when names change. */
interface Step {
  readonly change: Change;
  /** The file: of a name that is made or removed, of a write, of a flush. */
  readonly file: number;
  /** The bytes of a write. */
  readonly data: Buffer;
}

/** A whole directory: `undefined` is a directory, bytes are a file. */
export type Tree = ReadonlyMap<string, Buffer | undefined>;

/** How a cut treats what is not settled. */
export interface Cut {
  /** How many changes were finished. */
  readonly at: number;
  readonly model: 'anything' | 'journal';
  /** Share of the unsettled changes that are there all the same: 1 is what `kill -9` leaves, 0 is as little as may be. */
  readonly keep: number;
  readonly random: () => number;
}

/** A recorded command on a disk that may lose its power. */
export class DiskModel {
  readonly #root: string;
  readonly #base: Tree;
  readonly #steps: Step[] = [];
  readonly #names = new Map<string, number>();
  #files = 0;

  /** @param root the directory that was recorded; `base` is what was in it before. */
  constructor(root: string, base: Tree, changes: readonly Change[]) {
    this.#root = root;
    this.#base = base;
    for (const path of base.keys()) this.#names.set(path, this.#files++);
    for (const change of inOrder(changes, root, base)) this.#steps.push(this.#follow(change));
  }

  get changes(): readonly Change[] {
    return this.#steps.map(({ change }) => change);
  }

  /** What is there when the power comes back. */
  after(cut: Cut): Tree {
    const settled = this.#settled(cut);
    const tree = new Map(this.#base);
    const contents = new Map<number, Buffer>();
    const files = new Map<string, number>([...this.#base.keys()].map((path, file) => [path, file]));
    for (const [path, bytes] of this.#base) if (bytes !== undefined) contents.set(files.get(path) ?? -1, bytes);
    const names: Names = {
      files,
      isDirectory: new Set([...this.#base].filter(([, bytes]) => bytes === undefined).map(([path]) => path)),
    };
    const lastName = this.#lastName(cut, settled);
    for (const [index, step] of this.#steps.slice(0, cut.at).entries()) {
      const { change } = step;
      if (change.op === 'sync' || change.op === 'ack') continue;
      if (change.op === 'write') {
        const bytes = settled.has(index) ? step.data : partOf(step.data, cut);
        if (bytes !== undefined) contents.set(step.file, overlaid(contents.get(step.file), change.at, bytes));
        continue;
      }
      const kept = cut.model === 'journal' ? index <= lastName : settled.has(index) || cut.random() < cut.keep;
      if (kept) this.#apply(step, names);
    }
    tree.clear();
    for (const path of names.isDirectory) tree.set(path, undefined);
    for (const [path, file] of names.files)
      if (!names.isDirectory.has(path)) tree.set(path, contents.get(file) ?? Buffer.alloc(0));
    return tree;
  }

  #follow(change: Change): Step {
    const data = change.op === 'write' ? Buffer.from(change.data, 'base64') : Buffer.alloc(0);
    const inner = this.#relative(change);
    if (inner.op === 'mkdir' || inner.op === 'create') {
      const there = inner.op === 'create' ? this.#names.get(inner.path) : undefined;
      const file = there ?? this.#files++;
      this.#names.set(inner.path, file);
      return { change: inner, file, data };
    }
    if ('from' in inner) {
      const file = this.#names.get(inner.from) ?? -1;
      this.#names.set(inner.to, file);
      if (inner.op === 'rename') this.#names.delete(inner.from);
      return { change: inner, file, data };
    }
    const file = inner.op === 'ack' ? -1 : (this.#names.get(inner.path) ?? -1);
    if (inner.op === 'unlink' || inner.op === 'rmdir') this.#names.delete(inner.path);
    return { change: inner, file, data };
  }

  #relative(change: Change): Change {
    const short = (path: string): string => relative(this.#root, path);
    if ('from' in change) return { ...change, from: short(change.from), to: short(change.to) };
    return 'path' in change ? { ...change, path: short(change.path) } : change;
  }

  /** Positions of the changes that a flush made sure of. */
  #settled({ at }: Cut): Set<number> {
    const settled = new Set<number>();
    const flushes = this.#steps.slice(0, at).filter(({ change }) => change.op === 'sync');
    for (const { change: flush, file } of flushes) {
      if (flush.op !== 'sync') continue;
      for (let index = 0; index < flush.covers; index += 1) {
        const step = this.#steps[index];
        if (step === undefined || settled.has(index)) continue;
        const { change } = step;
        if (change.op === 'write' ? step.file === file : parentsOf(change).includes(flush.path)) settled.add(index);
      }
    }
    return settled;
  }

  /** With a journal: the last change of a name that is there. */
  #lastName({ at, model, keep, random }: Cut, settled: ReadonlySet<number>): number {
    if (model !== 'journal') return -1;
    const sure = Math.max(
      -1,
      ...this.#steps.slice(0, at).map(({ change }) => (change.op === 'sync' ? change.covers - 1 : -1)),
      ...settled,
    );
    return keep === 1 ? at : sure + Math.floor(random() * keep * (at - sure));
  }

  #apply({ change, file }: Step, names: Names): void {
    const { files, isDirectory } = names;
    const canHold = (path: string): boolean => dirname(path) === '.' || isDirectory.has(dirname(path));
    const add = (path: string): void => {
      if (canHold(path)) files.set(path, file);
    };
    switch (change.op) {
      case 'mkdir':
        if (!canHold(change.path)) return;
        add(change.path);
        isDirectory.add(change.path);
        return;
      case 'create':
      case 'link':
        add('to' in change ? change.to : change.path);
        return;
      case 'rename':
        // Where its first name was lost, the second one is there all the same: a name is an entry in a directory.
        files.delete(change.from);
        add(change.to);
        return;
      case 'unlink':
        files.delete(change.path);
        return;
      case 'rmdir':
        if ([...files.keys()].some((path) => path.startsWith(`${change.path}/`))) return;
        files.delete(change.path);
        isDirectory.delete(change.path);
        return;
      default:
    }
  }
}

/**
 * Puts changes in an order that the disk can have seen: of two threads, the one that made a directory may say so after
 * the other has made a name in it. Flushes in between cover what they did, and the directory.
 */
function inOrder(changes: readonly Change[], root: string, base: Tree): readonly Change[] {
  const ordered = [...changes];
  const there = new Set([root, ...[...base.keys()].map((path) => join(root, path))]);
  for (let at = 0; at < ordered.length; at += 1) {
    const change = ordered[at];
    if (change === undefined) break;
    const made = 'to' in change ? change.to : change.op === 'mkdir' || change.op === 'create' ? change.path : undefined;
    const parent = made === undefined || there.has(dirname(made)) ? -1 : madeLater(ordered, dirname(made), at);
    if (parent > 0) {
      moveUp(ordered, parent, at);
      at -= 1;
    } else if (change.op === 'mkdir') there.add(change.path);
  }
  return ordered;
}

function madeLater(changes: readonly Change[], path: string, after: number): number {
  return changes.findIndex((change, at) => at > after && change.op === 'mkdir' && change.path === path);
}

function moveUp(changes: Change[], from: number, to: number): void {
  changes.splice(to, 0, ...changes.splice(from, 1));
  for (let at = to + 1; at < changes.length; at += 1) {
    const change = changes[at];
    if (change?.op === 'sync' && change.covers > to && change.covers <= from)
      changes[at] = { ...change, covers: change.covers + 1 };
  }
}

interface Names {
  readonly files: Map<string, number>;
  readonly isDirectory: Set<string>;
}

function parentsOf(change: Change): string[] {
  if ('from' in change) return [parentOf(change.to)];
  return 'path' in change && change.op !== 'write' && change.op !== 'sync' ? [parentOf(change.path)] : [];
}

const parentOf = (path: string): string => (dirname(path) === '.' ? '' : dirname(path));

/** What is there of bytes that were not flushed: all, nothing, the first part, or zeros in their place. */
function partOf(data: Buffer, { keep, random }: Cut): Buffer | undefined {
  if (keep === 1 || random() < keep / 2) return data;
  const chance = random();
  if (keep === 0 || chance < 0.4) return undefined;
  if (chance < 0.7) return data.subarray(0, Math.floor(random() * data.length));
  return Buffer.alloc(data.length);
}

function overlaid(there: Buffer | undefined, at: number, bytes: Buffer): Buffer {
  const result = Buffer.alloc(Math.max(there?.length ?? 0, at + bytes.length));
  there?.copy(result);
  bytes.copy(result, at);
  return result;
}

/** Reads a directory. */
export function treeOf(root: string): Tree {
  const tree = new Map<string, Buffer | undefined>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    tree.set(relative(root, path), entry.isDirectory() ? undefined : readFileSync(path));
  }
  return tree;
}

/** Writes a directory. */
export function writeTree(root: string, tree: Tree): void {
  mkdirSync(root, { recursive: true });
  for (const [path, bytes] of [...tree].sort(([a], [b]) => a.length - b.length)) {
    if (bytes === undefined) mkdirSync(join(root, path), { recursive: true });
  }
  for (const [path, bytes] of tree) if (bytes !== undefined) writeFileSync(join(root, path), bytes);
}
