/**
 * A collection deletes what nothing needs any more, while others push. It *condemns* what looks unneeded, in a list that
 * everybody who pushes reads; only then it looks at all roots and logs again, *spares* what they name by now, and
 * deletes the rest. Clocks decide what is condemned, never what is safe to delete.
 */

import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { stopIfInterrupted } from './blob/interrupt.ts';
import { checkWritable, openStore, type StoreFormat } from './content/store-format.ts';
import { trimAccelerators } from './content/sweep/accelerators.ts';
import { agreeOnFinal, publishList, removeList, type StandingList, standingLists } from './content/sweep/condemned.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import { doomedKeys } from './content/sweep/marks.ts';
import { type RepackedPack, repack, type ThinPack } from './content/sweep/repack.ts';
import { storageTime } from './content/sweep/survey.ts';
import { chooseCondemned, type Given, judge, MOVED, type Seen, thinPacks, UNNAMED } from './collect-choose.ts';
import { type Look, Observer } from './collect-look.ts';
import { type CollectResult, fatesOf } from './collect-report.ts';
import { OldRoots } from './collect-roots.ts';
import { IngotError } from './errors.ts';
import type { OnProgress } from './progress.ts';
import { type ExpireUpload, createUploadExpirer } from './registry/care-expire.ts';

/** Options of {@link collect}. */
export interface CollectOptions {
  readonly blobs: BlobStore;
  /** Who collects, as histories show it when an upload is given up: `ana@laptop`. */
  readonly actor: string;
  /** What is younger is left alone, and uploads are given up after it, in milliseconds. Default: 24 hours. */
  readonly graceMs?: number;
  /** Only says what would go. Default: false. */
  readonly dryRun?: boolean;
  /** With `dryRun`: versions, as `churn:3`, that are looked upon as deleted. Default: none. */
  readonly assumeReleased?: ReadonlySet<string>;
  /** Asserts that nobody else uses the store meanwhile; needed where listings may be stale. Default: false. */
  readonly exclusive?: boolean;
  /** Packs of which less than this share is needed are written again; 0: none. Default: 0.5. */
  readonly repackBelow?: number;
  /** A pack is written again only to save as many bytes. Default: 64 KiB. */
  readonly repackAtLeastBytes?: number;
  /** Default: the system clock; only its distance from the storage's matters, for giving uploads up. */
  readonly clock?: () => Date;
  /** Default: the system's random bytes. */
  readonly random?: (size: number) => Uint8Array;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

const DAY_MS = 24 * 60 * 60_000;
/** Roots of collections are never dropped sooner: other collections may be at work. */
const COLLECTION_GRACE_MS = 60 * 60_000;
const DELETES_AT_ONCE = 16;
const REPACK_AT_ONCE_BYTES = 512 * 1024 * 1024;

/**
 * Deletes what nothing needs: packs that no version and no root names, and what abandoned uploads left. Safe while
 * others push or collect, and to interrupt and repeat at any point.
 * @throws IngotError `refused` (the store is governed, only read, or may show stale listings), `integrity`,
 * `content-not-found` or `tampered` when something is damaged that says what is needed; then nothing is deleted.
 * @example
 * const { deletedBytes } = await collect({ blobs, actor: 'ana@laptop', dryRun: true });
 */
export async function collect(options: CollectOptions): Promise<CollectResult> {
  const { blobs, signal } = options;
  const format = await openStore(blobs, signal ? { signal } : {});
  checkAllowed(format, options);
  return new Collection(format, options).run();
}

function checkAllowed(format: StoreFormat, { blobs, dryRun, exclusive }: CollectOptions): void {
  if (dryRun === true) return;
  const { readOnly, stalenessMs, createIfAbsent } = blobs.capabilities;
  if (readOnly) throw refused(`${blobs.address} can only be read`, 'ingot gc --dry-run');
  if (format.governed) checkWritable(format, blobs.address);
  if (exclusive === true) return;
  const hint = 'ingot gc --exclusive   (when nobody else uses the store meanwhile)';
  if (stalenessMs > 0)
    throw refused(`${blobs.address} may show what others wrote up to ${Math.ceil(stalenessMs / 1000)} s late`, hint);
  if (createIfAbsent === 'no') throw refused(`${blobs.address} does not honour create-if-absent`, hint);
}

function refused(message: string, hint: string): IngotError {
  return new IngotError('refused', message, { operation: 'collect', hint });
}

class Collection {
  readonly #options: CollectOptions;
  readonly #blobs: BlobStore;
  readonly #call: BlobOptions;
  readonly #isMirror: boolean;
  readonly #graceMs: number;
  readonly #run: string;
  readonly #observer: Observer;
  readonly #given: Given;
  readonly #roots: OldRoots;
  readonly #expire: ExpireUpload;
  readonly #deleted = new Map<string, string>();
  readonly #finished: string[] = [];
  #nowMs = 0;
  #recipes = 0;

  constructor(format: StoreFormat, options: CollectOptions) {
    const { blobs, signal, random = randomBytes } = options;
    this.#options = options;
    this.#blobs = blobs;
    this.#call = signal ? { signal } : {};
    this.#isMirror = format.follows !== undefined;
    this.#graceMs = options.graceMs ?? DAY_MS;
    this.#run = `gc-${Buffer.from(random(12)).toString('hex')}`;
    const released = options.dryRun === true ? options.assumeReleased : undefined;
    this.#observer = new Observer(blobs, {
      isReleased: (label) => released?.has(label) === true,
      onRecipe: () => {
        this.#recipes += 1;
        this.#tell('versions', this.#recipes, 0);
      },
    });
    this.#given = { observer: this.#observer, isOld: (modifiedMs) => this.#isOlder(modifiedMs, this.#graceMs) };
    this.#roots = new OldRoots({
      // A mirror takes no events of its own, so nothing can be given up in it.
      isOldUpload: (modifiedMs) => !this.#isMirror && this.#given.isOld(modifiedMs),
      isOldCollection: (modifiedMs) => this.#isOlder(modifiedMs, Math.max(this.#graceMs, COLLECTION_GRACE_MS)),
    });
    this.#expire = createUploadExpirer(options);
  }

  async run(): Promise<CollectResult> {
    const before = await this.#firstLook();
    const condemned = chooseCondemned(before, this.#given);
    if (this.#options.dryRun === true) return this.#wouldDo(before, condemned);
    if (condemned.size > 0) await publishList(this.#blobs, this.#run, [...condemned.keys()], this.#call);
    const { lists, leftovers } = await standingLists(this.#blobs, this.#call);
    for (const run of leftovers) await removeList(this.#blobs, run, this.#call);
    const after = await this.#lookAgain(before, lists);
    const repacked = await this.#repack(after, lists);
    const heads = [...after.view.listed.logs.values()].map((log) => log.heads);
    const trimmed = await trimAccelerators(this.#blobs, { heads, nowMs: this.#nowMs }, this.#call);
    return this.#result(after, { repacked, trimmed });
  }

  async #firstLook(): Promise<Look> {
    const { clock = () => new Date(), dryRun } = this.#options;
    const time = dryRun === true ? clock() : await storageTime(this.#blobs, this.#run, this.#call);
    this.#nowMs = time.getTime();
    return this.#observer.look((root, view) => this.#roots.isAbandoned(root, view), this.#call);
  }

  /** After the lists stand: gives uploads up, looks again, and does away with what the lists name and nothing needs. */
  async #lookAgain(before: Look, lists: readonly StandingList[]): Promise<Look> {
    await this.#roots.giveUp(this.#blobs, before, this.#expire, this.#call);
    if (lists.length === 0) return before;
    const after = await this.#observer.look((root) => this.#roots.isOfOldCollection(root), this.#call);
    for (const list of lists) await this.#execute(list, { before, after, lists });
    await this.#roots.drop(this.#blobs, after, this.#call);
    return after;
  }

  async #execute(list: StandingList, seen: Seen): Promise<void> {
    const final = await agreeOnFinal(this.#blobs, list.run, judge(list, seen, this.#given), this.#call);
    if (final === undefined) return;
    const moved = new Set(final.moved);
    let done = 0;
    await inParallel(final.packs, DELETES_AT_ONCE, async (pack) => {
      stopIfInterrupted(this.#call.signal, 'collect');
      for (const key of doomedKeys(pack, moved.has(pack))) await this.#blobs.delete(key, this.#call);
      this.#deleted.set(pack, moved.has(pack) ? MOVED : UNNAMED);
      done += 1;
      this.#tell('deleting packs', done, final.packs.length);
    });
    await removeList(this.#blobs, list.run, this.#call);
    if (list.run !== this.#run) this.#finished.push(list.run);
  }

  #isOlder(modifiedMs: number, ageMs: number): boolean {
    return this.#nowMs - modifiedMs >= ageMs;
  }

  async #repack(look: Look, lists: readonly StandingList[]): Promise<readonly RepackedPack[]> {
    const thin = this.#thin(look, new Set(lists.flatMap((list) => list.packs)));
    const repacked: RepackedPack[] = [];
    for (let from = 0, part = 0; from < thin.length; part += 1) {
      let to = from;
      for (let bytes = 0; to < thin.length && (to === from || bytes < REPACK_AT_ONCE_BYTES); to += 1)
        bytes += thin[to]?.rows.bytes ?? 0;
      stopIfInterrupted(this.#call.signal, 'collect');
      const some = await repack(this.#blobs, thin.slice(from, to), { ...this.#call, run: `${this.#run}-${part}` });
      repacked.push(...some);
      from = to;
      this.#tell('rewriting thin packs', from, thin.length);
    }
    return repacked;
  }

  #thin(look: Look, condemned: ReadonlySet<string>): readonly ThinPack[] {
    if (this.#isMirror) return [];
    const { repackBelow, repackAtLeastBytes } = this.#options;
    const isTaken = (pack: string): boolean => condemned.has(pack) || this.#deleted.has(pack);
    return thinPacks(look, { repackBelow, repackAtLeastBytes, isTaken }, this.#given);
  }

  #wouldDo(look: Look, condemned: ReadonlyMap<string, string>): CollectResult {
    for (const [pack, reason] of condemned) if (look.survey.packs.has(pack)) this.#deleted.set(pack, reason);
    const thin = this.#thin(look, new Set());
    const repacked = thin.map(({ pack, sizeBytes, rows }) => ({ pack, sizeBytes, liveBytes: rows.bytes, into: [] }));
    return this.#result(look, { repacked, trimmed: 0 });
  }

  #result(look: Look, done: Pick<CollectResult, 'repacked' | 'trimmed'>): CollectResult {
    return {
      run: this.#run,
      dryRun: this.#options.dryRun === true,
      graceMs: this.#graceMs,
      ...fatesOf(look, this.#deleted, this.#given.isOld),
      uploads: this.#roots.abandoned,
      finished: this.#finished,
      ...done,
    };
  }

  #tell(path: string, doneBytes: number, totalBytes: number): void {
    this.#options.onProgress?.({
      phase: 'collect',
      path,
      doneBytes: 0,
      totalBytes: 0,
      message: totalBytes === 0 ? String(doneBytes) : `${doneBytes} of ${totalBytes}`,
    });
  }
}
