import { setImmediate as nextTurn } from 'node:timers/promises';
import { placeFiles, type PlacedFile } from './artifact-rows.ts';
import type { ArtifactContext } from './artifact-context.ts';

/** Files of one transaction: more only make others wait. */
const AT_ONCE = 128;

interface Waiting {
  readonly file: PlacedFile;
  resolve(lost: readonly string[]): void;
  reject(error: unknown): void;
}

/**
 * Writes small files to the database, those that come at the same time in one transaction: the disk is waited for once
 * for all of them. A file is acknowledged when it is durable.
 */
export class StagingWriter {
  readonly #own: ArtifactContext['database']['own'];
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor({ database }: ArtifactContext) {
    this.#own = database.own;
  }

  /** Gives a file its place; the holdings that lost one by it. Throws as `placeFiles` does, for this file alone. */
  place(file: PlacedFile): Promise<readonly string[]> {
    const placed = new Promise<readonly string[]>((resolve, reject) => this.#waiting.push({ file, resolve, reject }));
    this.#writing ??= this.#write();
    return placed;
  }

  /** Waits until everything that was given is written. */
  async settle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    await nextTurn();
    while (this.#waiting.length > 0) await this.#writeSome(this.#waiting.splice(0, AT_ONCE));
    this.#writing = undefined;
  }

  async #writeSome(some: readonly Waiting[]): Promise<void> {
    try {
      const lost = await placeFiles(
        this.#own,
        some.map(({ file }) => file),
      );
      // Who comes last is told of all that was lost; letting go twice does nothing.
      for (const [n, { resolve }] of some.entries()) resolve(n === some.length - 1 ? lost : []);
    } catch (error) {
      // One that cannot be placed must not fail the others.
      if (some.length === 1) some[0]?.reject(error);
      else for (const one of some) await this.#writeSome([one]);
    }
  }
}
