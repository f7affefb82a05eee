import { type FileHandle, open, readFile } from 'node:fs/promises';
import type { RestoreJournal } from '../content/restore.ts';
import { systemErrorCode } from '../errors.ts';

type Range = readonly [from: number, to: number];

/**
 * The journal of a restore in a file: a line for each range that was written. It is not flushed: after a power cut it
 * may promise bytes that are not there, which are then found wrong and fetched. Lines are written beside the transfer,
 * which never waits for them: a kill may lose those of the last moment.
 */
export class ArrivalJournal implements RestoreJournal, AsyncDisposable {
  readonly #ranges: ReadonlyMap<number, readonly Range[]>;
  readonly #file: FileHandle;
  #waiting = '';
  #writing: Promise<void> | undefined;

  private constructor(ranges: ReadonlyMap<number, readonly Range[]>, file: FileHandle) {
    this.#ranges = ranges;
    this.#file = file;
  }

  /** Opens a journal, or begins it. */
  static async open(path: string): Promise<ArrivalJournal> {
    const ranges = new Map<number, Range[]>();
    for (const line of (await textOf(path)).split('\n')) {
      const [target, from, to] = /^(\d+) (\d+) (\d+)$/.exec(line)?.slice(1).map(Number) ?? [];
      if (target === undefined || from === undefined || to === undefined) continue;
      const known = ranges.get(target);
      if (known === undefined) ranges.set(target, [[from, to]]);
      else known.push([from, to]);
    }
    return new ArrivalJournal(ranges, await open(path, 'a', 0o600));
  }

  written(target: number): readonly Range[] {
    return this.#ranges.get(target) ?? [];
  }

  add(target: number, from: number, to: number): void {
    // The newline before ends a line that a crash cut off.
    this.#waiting += `\n${target} ${from} ${to}\n`;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    while (this.#waiting !== '') {
      const lines = this.#waiting;
      this.#waiting = '';
      // What is not noted is only fetched again; a disk that is full says so to whoever writes the files.
      await this.#file.appendFile(lines).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#write();
    await this.#file.close();
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
