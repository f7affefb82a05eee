import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { type CheckNote, type CheckResult, type Damage, REPAIR_COMMAND } from './check-report.ts';
import { packKey } from './content/locator.ts';
import type { OnProgress } from './progress.ts';

/** What {@link CheckRun} works with. */
export interface CheckRunOptions {
  readonly blobs: BlobStore;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** What the parts of a check share: the store, what was found of damage so far, and how much was looked at. */
export class CheckRun {
  readonly blobs: BlobStore;
  readonly call: BlobOptions;
  readonly checked = {
    logs: 0,
    events: 0,
    versions: 0,
    packs: 0,
    entries: 0,
    bytes: 0,
  } satisfies CheckResult['checked'];
  readonly #onProgress: OnProgress | undefined;
  readonly #damage = new Map<string, Damage>();
  readonly #notes = new Map<string, CheckNote>();
  readonly #lost = new Map<string, Set<number>>();

  constructor({ blobs, signal, onProgress }: CheckRunOptions) {
    this.blobs = blobs;
    this.call = signal ? { signal } : {};
    this.#onProgress = onProgress;
  }

  /** What is damaged, one entry a key, in the order of the keys. */
  get damage(): readonly Damage[] {
    return [...this.#damage.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  get notes(): readonly CheckNote[] {
    return [...this.#notes.values()];
  }

  /** Offsets of needed rows that cannot be read, by pack. */
  get lost(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.#lost;
  }

  /** Whether nothing but caches is damaged, so that histories and recipes tell all that is needed. */
  get isTold(): boolean {
    return [...this.#damage.values()].every(({ sort }) => sort === 'cache');
  }

  isDamaged(key: string): boolean {
    return this.#damage.has(key);
  }

  /** Notes damage; what was noted first of a key stays. */
  note(damage: Damage): void {
    if (!this.#damage.has(damage.key)) this.#damage.set(damage.key, damage);
  }

  /** Notes damage in a pack. */
  notePack(pack: string, message: string, repair: string = REPAIR_COMMAND): void {
    this.note({ key: packKey(pack), sort: 'contents', message, repair, pack });
  }

  /** Notes that what versions need at an offset of a pack cannot be read. */
  lose(pack: string, offset: number): void {
    const lost = this.#lost.get(pack) ?? new Set();
    this.#lost.set(pack, lost.add(offset));
  }

  /** Counts what is no damage and worth knowing. */
  remark(what: string, count: number, bytes = 0): void {
    if (count === 0) return;
    const before = this.#notes.get(what);
    this.#notes.set(what, { what, count: count + (before?.count ?? 0), bytes: bytes + (before?.bytes ?? 0) });
  }

  /** Tells whoever watches how far it is: in bytes, or in words. */
  tell(path: string, done: string | { readonly doneBytes: number; readonly totalBytes: number }): void {
    const event = typeof done === 'string' ? { doneBytes: 0, totalBytes: 0, message: done } : done;
    this.#onProgress?.({ phase: 'check', path, ...event });
  }
}
