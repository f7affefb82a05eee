/**
 * Remembers the digests of files by what tells that they did not change: size, times, inode and device. One file of the
 * cache for each package directory, read and written whole, so that processes that share a cache do not disturb each
 * other: the last one to finish is remembered.
 */

import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, isDigest } from '../digest.ts';
import { isJsonObject } from '../json.ts';
import { makeDirectory } from '../make-directory.ts';
import type { SourceFile } from './source-file.ts';

/** Where digests are remembered between runs. */
export interface HashMemory {
  /** Opens what is remembered of the files of one package. */
  open(root: string): Promise<RememberedHashes>;
}

/** The digests of one package's files. */
export interface RememberedHashes {
  /** What a file had when it was read last, if it was not touched since. */
  digest(file: SourceFile): Digest | undefined;
  /**
   * Notes what a file has.
   * @param readAt when reading it began, by this machine's clock. A file changed shortly before is not remembered: its
   * times might not show another change right after.
   */
  note(file: SourceFile, digest: Digest, readAt: Date): void;
  /** The same for something that is computed from digests alone. */
  computed(key: Digest): Digest | undefined;
  noteComputed(key: Digest, digest: Digest): void;
  /** Writes what was noted, if anything. Never throws: a cache that cannot be written is no failure. */
  save(): Promise<void>;
}

const FORMAT = 'ingot-hashes-1';
const RACY_NS = 2_000_000_000n;

type Row = readonly [path: string, facts: string, digest: Digest];

/** Opens the memory in a directory, which is made (0700) when there is something to remember. */
export function openHashMemory({ directory }: { readonly directory: string }): HashMemory {
  return {
    open: async (root) => {
      const path = join(directory, `${digestOf(root).slice('sha256:'.length, 'sha256:'.length + 32)}.json`);
      return remembered(path, directory, await read(path, root), root);
    },
  };
}

interface Contents {
  readonly files: ReadonlyMap<string, { readonly facts: string; readonly digest: Digest }>;
  readonly computed: ReadonlyMap<string, Digest>;
}

function remembered(path: string, directory: string, before: Contents, root: string): RememberedHashes {
  const files = new Map<string, Row>();
  const computed = new Map<Digest, Digest>();
  let changed = false;
  return {
    digest: (file) => {
      const known = before.files.get(file.path);
      if (known === undefined || known.facts !== factsOf(file)) return undefined;
      files.set(file.path, [file.path, known.facts, known.digest]);
      return known.digest;
    },
    note: (file, digest, readAt) => {
      const { mtimeNs, ctimeNs } = file.snapshot;
      const limit = BigInt(readAt.getTime()) * 1_000_000n - RACY_NS;
      if (mtimeNs > limit || ctimeNs > limit) return;
      files.set(file.path, [file.path, factsOf(file), digest]);
      changed = true;
    },
    computed: (key) => {
      const known = before.computed.get(key);
      if (known !== undefined) computed.set(key, known);
      return known;
    },
    noteComputed: (key, digest) => {
      computed.set(key, digest);
      changed = true;
    },
    save: async () => {
      if (!changed) return;
      const text = JSON.stringify({ format: FORMAT, root, files: [...files.values()], computed: [...computed] });
      await replace(directory, path, text).catch(() => {});
    },
  };
}

function factsOf({ snapshot: { size, mtimeNs, ctimeNs, ino, dev } }: SourceFile): string {
  return [size, mtimeNs, ctimeNs, ino, dev].map((fact) => fact.toString(36)).join(' ');
}

async function read(path: string, root: string): Promise<Contents> {
  const nothing: Contents = { files: new Map(), computed: new Map() };
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isJsonObject(value) || value.format !== FORMAT || value.root !== root) return nothing;
    return { files: filesOf(value.files), computed: computedOf(value.computed) };
  } catch {
    // Nothing there, or nothing that can be read: then all files are read.
    return nothing;
  }
}

function filesOf(rows: unknown): Contents['files'] {
  const files = new Map<string, { facts: string; digest: Digest }>();
  for (const row of Array.isArray(rows) ? rows : []) {
    const [path, facts, digest]: readonly unknown[] = Array.isArray(row) ? row : [];
    if (typeof path === 'string' && typeof facts === 'string' && typeof digest === 'string' && isDigest(digest))
      files.set(path, { facts, digest });
  }
  return files;
}

function computedOf(rows: unknown): Contents['computed'] {
  const computed = new Map<string, Digest>();
  for (const row of Array.isArray(rows) ? rows : []) {
    const [key, digest]: readonly unknown[] = Array.isArray(row) ? row : [];
    if (typeof key === 'string' && typeof digest === 'string' && isDigest(digest)) computed.set(key, digest);
  }
  return computed;
}

async function replace(directory: string, path: string, text: string): Promise<void> {
  await makeDirectory(directory, { mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
