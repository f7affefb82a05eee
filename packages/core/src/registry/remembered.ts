/**
 * What a machine remembers of a store's logs between runs: position and state of each, in one file of the cache. It
 * saves reading, and it is how a log that goes back is noticed. Losing it costs time only.
 */

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../digest.ts';
import { digestOf, isDigest } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { makeDirectory } from '../make-directory.ts';

/** One log as it was last seen. */
export interface RememberedLog {
  /** Version of the fold that made the state. */
  readonly fold: number;
  readonly seq: number;
  readonly digest: Digest;
  /** Time of the last event. */
  readonly at: string;
  /** Without it only the position is kept. */
  readonly state?: object;
  /** What listings need, so that they need not read the state. */
  readonly brief?: object;
}

/** A log as it was kept. */
export interface SeenLog extends Pick<RememberedLog, 'fold' | 'seq' | 'digest' | 'at'> {
  readonly brief: JsonObject | undefined;
  /** Reads the state; undefined when it was too large to keep. */
  state(): JsonObject | undefined;
}

/** Positions and states of a store's logs, kept between runs. */
export interface RememberedStates {
  /** Where it is kept, for hints. */
  readonly location: string;
  /** Starts with what is kept of the store with this id, or with nothing. Must be called first. */
  load(storeId: string): Promise<void>;
  /** What was last seen of a log. */
  get(log: string): SeenLog | undefined;
  /** Notes what was seen; `save` writes it. */
  put(log: string, seen: RememberedLog): void;
  /** Drops a log that is no more. */
  drop(log: string): void;
  /** Writes what changed, if anything did. Never throws: a cache that cannot be written is no failure. */
  save(): Promise<void>;
}

/** Options of {@link openRememberedStates}. */
export interface RememberedStatesOptions {
  /** The directory for this store; made (0700) with the first write. */
  readonly directory: string;
  /** Of a log whose state takes more characters only the position is kept. Default 4 Mi. */
  readonly maxStateLength?: number;
}

const FORMAT = 'ingot-remembered-2';
const FILE = 'logs';

interface Line {
  readonly seq: number;
  /** All but the state, as JSON. */
  readonly head: string;
  /** The state as JSON, or nothing. */
  readonly state: string;
}

/**
 * Opens the memory of one store. Processes may share it: each replaces the file whole, keeping whichever position of a
 * log is further on.
 *
 * @example
 * const memory = openRememberedStates({ directory: `${cache}/stores/${hash}` });
 */
export function openRememberedStates(options: RememberedStatesOptions): RememberedStates {
  return new FileStates(options.directory, options.maxStateLength ?? 4 * 1024 * 1024);
}

class FileStates implements RememberedStates {
  readonly location: string;
  readonly #directory: string;
  readonly #maxStateLength: number;
  readonly #pending = new Map<string, RememberedLog | undefined>();
  #lines = new Map<string, Line>();
  #storeId = '';
  #stamp = '';

  constructor(directory: string, maxStateLength: number) {
    this.#directory = directory;
    this.#maxStateLength = maxStateLength;
    this.location = join(directory, FILE);
  }

  async load(storeId: string): Promise<void> {
    this.#storeId = storeId;
    this.#stamp = await stampOf(this.location);
    this.#lines = this.#stamp === '' ? new Map() : await readLines(this.location, storeId);
  }

  get(log: string): SeenLog | undefined {
    const line = this.#lines.get(log);
    const head = line && parseObject(line.head);
    if (line === undefined || head === undefined) return undefined;
    const { fold, digest, at, brief } = head;
    if (typeof fold !== 'number' || typeof at !== 'string') return undefined;
    if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
    const state = () => parseObject(line.state);
    return { fold, seq: line.seq, digest, at, state, brief: isJsonObject(brief) ? brief : undefined };
  }

  put(log: string, seen: RememberedLog): void {
    this.#pending.set(log, seen);
  }

  drop(log: string): void {
    this.#pending.set(log, undefined);
  }

  async save(): Promise<void> {
    if (this.#pending.size === 0) return;
    const changes = new Map(this.#pending);
    this.#pending.clear();
    try {
      await this.#mergeWithOthers();
      for (const [log, seen] of changes) this.#apply(log, seen);
      await this.#write();
    } catch {
      // A full disk or a read-only home must not fail what was asked for: the logs will be read again instead.
    }
  }

  // Another process may have written since: keep whichever is further on.
  async #mergeWithOthers(): Promise<void> {
    if ((await stampOf(this.location)) === this.#stamp) return;
    for (const [log, line] of await readLines(this.location, this.#storeId)) {
      if (line.seq > (this.#lines.get(log)?.seq ?? 0)) this.#lines.set(log, line);
    }
  }

  #apply(log: string, seen: RememberedLog | undefined): void {
    if (seen === undefined) this.#lines.delete(log);
    if (seen === undefined || seen.seq < (this.#lines.get(log)?.seq ?? 0)) return;
    const { seq, state, ...head } = seen;
    const json = state === undefined ? '' : JSON.stringify(state);
    const kept = json.length <= this.#maxStateLength ? json : '';
    this.#lines.set(log, { seq, head: JSON.stringify(head), state: kept });
  }

  async #write(): Promise<void> {
    await makeDirectory(this.#directory, { mode: 0o700 });
    const lines = [...this.#lines].map(([log, { seq, head, state }]) => `${log}\t${seq}\t${head}\t${state}`);
    const body = lines.join('\n');
    const temporary = `${this.location}.${randomBytes(8).toString('hex')}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(`${FORMAT} ${this.#storeId} ${digestOf(body)}\n${body}`);
      } finally {
        await file.close();
      }
      await rename(temporary, this.location);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    this.#stamp = await stampOf(this.location);
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    // Not there, or not readable: nothing is remembered either way.
    return '';
  }
}

// Another store's file, another format's or a damaged one is the same as none.
async function readLines(path: string, storeId: string): Promise<Map<string, Line>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  if (text.slice(0, Math.max(end, 0)) !== `${FORMAT} ${storeId} ${digestOf(body)}`) return new Map();
  return new Map(body === '' ? [] : body.split('\n').map(parseLine));
}

// JSON has no bare tabs or line ends.
function parseLine(line: string): [string, Line] {
  const [log = '', seq = '', head = '', state = ''] = line.split('\t');
  return [log, { seq: Number(seq), head, state }];
}

function parseObject(json: string): JsonObject | undefined {
  if (json === '') return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
