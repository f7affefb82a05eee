/**
 * A *journal* names the packs of an upload that stand, in a file of this machine, so that the push after one that was
 * cut short need not write them again. Nothing in it is trusted: its packs must still be there, and root and condemned
 * lists decide as for any other pack.
 */

import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { kill, pid } from 'node:process';
import { systemErrorCode } from '../errors.ts';
import { canonicalJson, isJsonObject } from '../json.ts';
import { makeDirectory } from '../make-directory.ts';
import { isPackId } from './locator.ts';

/** Packs of an upload that was cut short. */
export interface LeftPacks {
  readonly packs: readonly string[];
  /** Forgets them, when a push that stands relies on them, or nothing can. */
  forget(): Promise<void>;
}

/** The journal of one upload. */
export interface UploadJournal {
  /** Notes that a pack stands; from the second one on, so that the file is there should the program be killed. */
  note(pack: string): void;
  /** Waits until what was noted is written. */
  settle(): Promise<void>;
  /** Says that the upload is over and will not remove its packs: whoever comes next may rely on them. */
  leave(): Promise<void>;
  /** Removes the journal. */
  remove(): Promise<void>;
}

const OLD_MS = 14 * 24 * 3600 * 1000;

/** The journals of one store on this machine. */
export class UploadJournals {
  readonly #directory: string;
  readonly #now: () => Date;

  /** @param directory where the journals lie; made when there is something to note. */
  constructor(directory: string, now: () => Date) {
    this.#directory = directory;
    this.#now = now;
  }

  /** Opens the journal of an upload. That it cannot be written is no failure of the push. */
  open(upload: string): UploadJournal {
    const packs: string[] = [];
    const path = join(this.#directory, `${upload}.json`);
    let writing: Promise<void> = Promise.resolve();
    let isThere = false;
    const write = (over: boolean): Promise<void> => {
      isThere = true;
      const at = this.#now().toISOString();
      const text = canonicalJson({ format: 1, at, host: hostname(), pid, over, packs: [...packs] });
      writing = writing.then(() => replaceFile(this.#directory, path, text)).catch(() => {});
      return writing;
    };
    return {
      note: (pack) => {
        packs.push(pack);
        // Most uploads have one pack, and write that again sooner than they would look for it.
        if (packs.length > 1) void write(false);
      },
      settle: () => writing,
      leave: async () => {
        if (packs.length > 0) await write(true);
      },
      remove: async () => {
        await writing;
        if (isThere) await rm(path, { force: true });
      },
    };
  }

  /** Gives the packs of uploads that are over without having been published. */
  async left(): Promise<readonly LeftPacks[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const found = await Promise.all(
      names.filter((name) => name.endsWith('.json')).map((name) => this.#read(join(this.#directory, name))),
    );
    return found.filter((packs) => packs !== undefined);
  }

  async #read(path: string): Promise<LeftPacks | undefined> {
    const journal = await readFile(path, 'utf8').then(parseJournal, () => undefined);
    if (journal === undefined || (!journal.over && mayRun(journal))) return undefined;
    const forget = async (): Promise<void> => rm(path, { force: true });
    if (this.#now().getTime() - Date.parse(journal.at) < OLD_MS) return { packs: journal.packs, forget };
    await forget();
    return undefined;
  }
}

interface Journal {
  readonly at: string;
  readonly host: string;
  readonly pid: number;
  readonly over: boolean;
  readonly packs: readonly string[];
}

function parseJournal(text: string): Journal | undefined {
  try {
    const { at, host, pid: owner, over, packs, ...rest }: Record<string, unknown> = record(JSON.parse(text));
    if (rest.format !== 1 || typeof at !== 'string' || typeof host !== 'string' || typeof owner !== 'number')
      return undefined;
    const named = Array.isArray(packs) ? packs.filter((pack) => typeof pack === 'string' && isPackId(pack)) : [];
    return { at, host, pid: owner, over: over === true, packs: named };
  } catch {
    // A journal that cannot be read is none.
    return undefined;
  }
}

function record(value: unknown): Record<string, unknown> {
  return isJsonObject(value) ? { ...value } : {};
}

/** A push that runs may still remove its packs. On another machine nobody can tell. */
function mayRun({ host, pid: owner }: Journal): boolean {
  if (host !== hostname()) return true;
  try {
    kill(owner, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}

async function replaceFile(directory: string, path: string, text: string): Promise<void> {
  await makeDirectory(directory, { mode: 0o700 });
  const temporary = `${path}.${pid}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}
