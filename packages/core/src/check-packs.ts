import { stopIfInterrupted } from './blob/interrupt.ts';
import { REPAIR_BYTES_COMMAND } from './check-report.ts';
import type { CheckRun } from './check-run.ts';
import type { EntryHasher } from './content/check/hash-entries.ts';
import { strangeRows } from './content/check/pack-rows.ts';
import { packKey } from './content/locator.ts';
import { type PackedEntry, readPackFooter } from './content/pack.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { digestOfRow, type LiveIndex } from './content/sweep/live-index.ts';
import { type MovedFiles, marksOf, stops } from './content/sweep/marks.ts';
import type { PackSurvey } from './content/sweep/survey.ts';
import { isIngotError } from './errors.ts';

/** What {@link PackCheck} compares packs with. */
export interface PackCheckOptions {
  /** What versions need, also of packs that were moved. */
  readonly index: LiveIndex;
  readonly moved: MovedFiles;
  /** Packs that roots and versions name. */
  readonly named: ReadonlyMap<string, string>;
  readonly hasher: EntryHasher;
  /** Hashes all bytes too. */
  readonly readData: boolean;
  /** How many packs are looked at at once. */
  readonly hands: number;
}

/** Checks that packs are there, list what versions need of them, and hold the bytes that they list. */
export class PackCheck {
  readonly #run: CheckRun;
  readonly #options: PackCheckOptions;

  constructor(run: CheckRun, options: PackCheckOptions) {
    this.#run = run;
    this.#options = options;
  }

  /** Checks all packs that a survey found, and those that it did not find and versions need. */
  async check(survey: PackSurvey): Promise<void> {
    const { moved, hands } = this.#options;
    const named = marksOf({ versions: this.#options.named, roots: new Map() }, moved).named;
    const tell = this.#counter(survey);
    await inParallel(survey.packs, hands, async ([pack, { sizeBytes }]) => {
      stopIfInterrupted(this.#run.call.signal, 'check');
      await this.#pack(pack, sizeBytes);
      tell(sizeBytes);
      if (!named.has(pack)) this.#run.remark(this.#unnamed(), 1, sizeBytes);
    });
    for (const [pack] of survey.moved) {
      if (!survey.packs.has(pack) && !named.has(pack)) this.#run.remark('moved files that nothing follows', 1);
    }
    this.#run.remark('files among the packs that are none', survey.strays.length);
    this.#missing(survey);
  }

  #counter({ packs }: PackSurvey): (sizeBytes: number) => void {
    const totalBytes = [...packs.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    let [donePacks, doneBytes] = [0, 0];
    return (sizeBytes) => {
      donePacks += 1;
      doneBytes += sizeBytes;
      // Without reading data, bytes and their rate would tell of work that is not done.
      this.#run.tell('packs', this.#options.readData ? { doneBytes, totalBytes } : `${donePacks} of ${packs.size}`);
    };
  }

  /** Nobody may take for waste what only a damaged history or recipe would name. */
  #unnamed(): string {
    return this.#run.isTold ? 'packs that nothing names (`ingot gc` takes them)' : 'packs that nothing undamaged names';
  }

  async #pack(pack: string, sizeBytes: number): Promise<void> {
    let entries: readonly PackedEntry[];
    try {
      entries = await readPackFooter(this.#run.blobs, pack, this.#run.call);
    } catch (error) {
      if (isIngotError(error, 'content-not-found')) return await this.#vanished(pack);
      if (!isIngotError(error, 'integrity')) throw error;
      // Without its footer nobody knows what lies in it; what versions need of it is checked piece by piece.
      this.#run.notePack(pack, error.message);
      return await this.#rowsAlone(pack, sizeBytes);
    }
    this.#run.checked.packs += 1;
    this.#run.checked.entries += entries.length;
    for (const offset of strangeRows(entries, this.#options.index.rows(pack)))
      this.#lose(pack, offset, `its footer does not list what versions need at ${offset}`);
    if (this.#options.readData) await this.#bytes(pack, entries, sizeBytes);
  }

  async #bytes(pack: string, entries: readonly PackedEntry[], sizeBytes: number): Promise<void> {
    try {
      for (const { offset, digest } of await this.#options.hasher.badEntries(pack, entries, sizeBytes))
        this.#lose(pack, offset, `the entry ${digest} at ${offset} has other bytes now`, REPAIR_BYTES_COMMAND);
      this.#run.checked.bytes += entries.reduce((sum, { length }) => sum + length, 0);
    } catch (error) {
      if (!isIngotError(error, 'content-not-found')) throw error;
      await this.#vanished(pack);
    }
  }

  /** Checks what versions need of a pack whose footer is damaged. */
  async #rowsAlone(pack: string, sizeBytes: number): Promise<void> {
    const rows = this.#options.index.rows(pack);
    const entries = [...rows.offsets].flatMap((offset, n): PackedEntry[] => {
      const digest = digestOfRow(rows, n);
      return digest === undefined ? [] : [{ digest, offset, length: rows.lengths[n] ?? 0 }];
    });
    for (const { offset } of await this.#options.hasher.badEntries(pack, entries, sizeBytes))
      this.#run.lose(pack, offset);
  }

  // A collection took it since the packs were listed, so nothing needed it; if something does, its rows are missing.
  async #vanished(pack: string): Promise<void> {
    if ((await this.#run.blobs.stat(packKey(pack), this.#run.call)) !== undefined) return;
    this.#run.remark('packs that a collection took during the check', 1);
  }

  /** Rows of packs that are not there, and were not moved to packs that are. */
  #missing({ packs }: PackSurvey): void {
    const { index, moved } = this.#options;
    for (const pack of index.packs()) {
      if (packs.has(pack)) continue;
      const { offsets, lengths } = index.rows(pack);
      for (const [n, offset] of offsets.entries()) {
        const row = { pack, offset, length: lengths[n] ?? 0 };
        if ([...stops(row, moved)].some((stop) => packs.has(stop.pack))) continue;
        this.#lose(pack, offset, 'it is missing, and versions need it');
      }
    }
  }

  #lose(pack: string, offset: number, message: string, repair?: string): void {
    this.#run.notePack(pack, message, repair);
    this.#run.lose(pack, offset);
  }
}
