import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RestoreJournal } from '../content/restore.ts';
import { systemErrorCode } from '../errors.ts';

type Range = readonly [from: number, to: number];

/**
 * The journal of a restore in a file: a line for each range that was written. It is not flushed: after a power cut it
 * may promise bytes that are not there, which are then found wrong and fetched.
 */
export class ArrivalJournal implements RestoreJournal, Disposable {
  readonly #ranges: ReadonlyMap<number, readonly Range[]>;
  readonly #fd: number;

  private constructor(ranges: ReadonlyMap<number, readonly Range[]>, fd: number) {
    this.#ranges = ranges;
    this.#fd = fd;
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
    return new ArrivalJournal(ranges, openSync(path, 'a', 0o600));
  }

  written(target: number): readonly Range[] {
    return this.#ranges.get(target) ?? [];
  }

  add(target: number, from: number, to: number): void {
    // The newline before ends a line that a crash cut off.
    writeSync(this.#fd, `\n${target} ${from} ${to}\n`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
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
