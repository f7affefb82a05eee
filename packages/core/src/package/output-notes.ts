/**
 * Notes on the directories that pulls have made: which files of which version lie there. With them the next version is
 * pulled by what differs, and the same one is recognised at a glance. Below the cache's root, in
 * `outputs/<hash of the path>/`; they may be removed at any time.
 */

import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalCopy } from '../content/local-contents.ts';
import type { Digest } from '../digest.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import { digestText, writtenFile } from './cache-record.ts';
import { type Decoder, fields, list, number, text } from './decode.ts';
import { compareMarks } from './file-marks.ts';
import { NOTED_FILES, notedCopy } from './page-notes.ts';
import type { WrittenFile } from './unpack.ts';

/** What is known of a directory that a pull made. */
export interface OutputNote {
  /** Where it is; absolute. */
  readonly path: string;
  readonly manifest: Digest;
  readonly model: string;
  /** When it was made, ISO 8601. */
  readonly at: string;
  readonly files: readonly WrittenFile[];
}

const KEPT = 16;
const RECORD = 'output.json';

const decode: Decoder<OutputNote & { readonly format: number }> = fields({
  format: number,
  path: text,
  manifest: digestText,
  model: text,
  at: text,
  files: list(writtenFile),
});

/** Notes below a cache's root. */
export class OutputNotes {
  readonly #root: string;

  constructor(cacheRoot: string) {
    this.#root = join(cacheRoot, 'outputs');
  }

  /** What is noted of a directory. */
  async find(path: string): Promise<OutputNote | undefined> {
    return await this.#read(nameOf(path));
  }

  /** Notes what a pull has made, with the recipe and pages that lie in `from`; older notes go. */
  async add(note: OutputNote, from: string): Promise<void> {
    await makeDirectory(this.#root, { mode: 0o700 });
    const temporary = join(this.#root, `.${randomBytes(8).toString('hex')}`);
    const place = join(this.#root, nameOf(note.path));
    try {
      await mkdir(temporary, { mode: 0o700 });
      for (const name of NOTED_FILES) await copyFile(join(from, name), join(temporary, name));
      await writeFile(join(temporary, RECORD), JSON.stringify({ format: 1, ...note }), { mode: 0o600 });
      await rm(place, { recursive: true, force: true });
      await rename(temporary, place);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    for (const old of (await this.#list()).slice(KEPT)) await this.forget(old.path);
  }

  /** Removes what is noted of a directory. */
  async forget(path: string): Promise<void> {
    await rm(join(this.#root, nameOf(path)), { recursive: true, force: true });
  }

  /** The newest directories of a model, for finding pieces in them. Files that were changed are left out. */
  async copies(model: string, limit: number): Promise<readonly LocalCopy[]> {
    const notes = (await this.#list()).filter((note) => note.model === model).slice(0, limit);
    return await Promise.all(notes.map((note) => this.#copy(note)));
  }

  async #copy({ path, files }: OutputNote): Promise<LocalCopy> {
    const states = await compareMarks(path, files);
    const usable = new Set(files.filter((_, n) => states[n] !== 'other').map((file) => file.path));
    return notedCopy(join(this.#root, nameOf(path)), (name) => (usable.has(name) ? join(path, name) : undefined));
  }

  /** All notes, the newest first. */
  async #list(): Promise<readonly OutputNote[]> {
    const names = await readdir(this.#root).catch((): string[] => []);
    const notes = await Promise.all(names.map((name) => this.#read(name)));
    return notes.filter((note) => note !== undefined).sort((a, b) => (a.at < b.at ? 1 : -1));
  }

  async #read(name: string): Promise<OutputNote | undefined> {
    try {
      const { format, ...note } = decode(JSON.parse(await readFile(join(this.#root, name, RECORD), 'utf8')), 'output');
      return format === 1 ? note : undefined;
    } catch (error) {
      // A note that is gone, damaged or of another release is none.
      if (isIngotError(error) || error instanceof SyntaxError || systemErrorCode(error) !== undefined) return undefined;
      throw error;
    }
  }
}

function nameOf(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}
