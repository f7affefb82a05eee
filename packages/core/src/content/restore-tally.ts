import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { OnProgress } from '../progress.ts';
import type { Recipe } from './content-store.ts';
import type { RestoreTarget } from './restore.ts';
import type { FileMark } from './restore-file.ts';

/** What is done of each file of a restore. Files are numbered as the targets are. */
export class RestoreTally {
  readonly #targets: readonly RestoreTarget[];
  readonly #onProgress: OnProgress | undefined;
  /** Targets by content; the first is brought, the others are copies of it. */
  readonly #wanted = new Map<Digest, number[]>();
  readonly #sizes: ReadonlyMap<Digest, number>;
  readonly #marks: (FileMark | undefined)[];
  /** Bytes that are done: in all, and of that what was here already. */
  readonly #done: { bytes: number; found: number }[];

  /** Throws `content-not-found` when the recipe lacks the content of a target. */
  constructor(recipe: Recipe, targets: readonly RestoreTarget[], onProgress: OnProgress | undefined) {
    this.#targets = targets;
    this.#onProgress = onProgress;
    this.#sizes = new Map(recipe.contents.map(({ digest, sizeBytes }) => [digest, sizeBytes]));
    this.#marks = targets.map(() => undefined);
    this.#done = targets.map(() => ({ bytes: 0, found: 0 }));
    for (const [n, { digest, name }] of targets.entries()) {
      if (!this.#sizes.has(digest))
        throw new IngotError('content-not-found', `the recipe ${recipe.ref.digest} has no content ${digest} (${name})`);
      const others = this.#wanted.get(digest);
      if (others === undefined) this.#wanted.set(digest, [n]);
      else others.push(n);
    }
  }

  /** How many bytes all files have. */
  get sizeBytes(): number {
    return this.#targets.reduce((sum, { digest }) => sum + this.sizeOf(digest), 0);
  }

  sizeOf(digest: Digest): number {
    return this.#sizes.get(digest) ?? 0;
  }

  /** The file that is brought of a content. */
  firstOf(digest: Digest): number | undefined {
    return this.#wanted.get(digest)?.[0];
  }

  /** Files whose contents others have, each with that other. */
  *twins(): Generator<readonly [first: number, twin: number]> {
    for (const [first, ...others] of this.#wanted.values())
      for (const other of others) if (first !== undefined) yield [first, other];
  }

  /** Notes that a file is made. */
  made(n: number, mark: FileMark): void {
    this.#marks[n] = mark;
  }

  isMade(n: number): boolean {
    return this.#marks[n] !== undefined;
  }

  /** What tells of each file later that it is the same. Throws `integrity` when one is not made. */
  marks(): FileMark[] {
    return this.#marks.map((mark, n) => {
      if (mark !== undefined) return mark;
      throw new IngotError('integrity', `${this.what(n)} has fewer bytes than its recipe says`);
    });
  }

  /** Counts and tells bytes that are done. */
  tell(n: number, bytes: number, from: 'store' | 'local'): void {
    const [target, done] = [this.#targets[n], this.#done[n]];
    if (target === undefined || done === undefined || this.#onProgress === undefined) return;
    done.bytes += bytes;
    if (from === 'local') done.found += bytes;
    this.#onProgress({
      phase: 'fetch',
      path: target.name,
      doneBytes: done.bytes,
      totalBytes: this.sizeOf(target.digest),
      newBytes: done.bytes - done.found,
      storedBytes: done.found,
    });
  }

  /** How a file is called in messages. */
  what(n: number): string {
    const { digest, name } = this.#targets[n] ?? {};
    return `content ${digest} (${name})`;
  }
}
