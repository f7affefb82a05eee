import type { BlobOptions } from './blob/blob-store.ts';
import { RecipeReader } from './content/recipe-reader.ts';
import { inParallel } from './content/sweep/in-parallel.ts';
import type { Digest } from './digest.ts';
import { NewEvents, type StorePair } from './mirror-logs.ts';
import type { ListedLog } from './registry/care-logs.ts';

/** Events that become visible together, behind the packs they rely on. */
export interface Slice {
  readonly from: number;
  readonly to: number;
  readonly packs: readonly string[];
}

/** What is to be copied of one log. */
export interface LogPlan {
  readonly log: ListedLog;
  readonly events: NewEvents;
  readonly slices: readonly Slice[];
}

const RECIPES_AT_ONCE = 8;
const SLICE_EVENTS = 256;
const SLICE_RECIPES = 16;

/** Finds out what a mirror lacks, before anything is copied. */
export class Planner {
  readonly #pair: StorePair;
  readonly #call: BlobOptions;
  readonly #reader: RecipeReader;
  // Versions name the same packs over and over: each name is kept once.
  readonly #names = new Map<string, string>();

  constructor(pair: StorePair, options: BlobOptions) {
    this.#pair = pair;
    this.#call = options;
    this.#reader = new RecipeReader(pair.source);
  }

  /** @throws IngotError `tampered`, `integrity` or `content-not-found` when the source is damaged. */
  async plan(log: ListedLog, there: number, last: Digest | null): Promise<LogPlan> {
    const { source } = this.#pair;
    const events = await NewEvents.read({ source, prefix: log.prefix, there, last, length: log.length }, this.#call);
    const needed = new Map<number, readonly string[]>();
    await inParallel(events.recipes, RECIPES_AT_ONCE, async ([seq, ref]) => {
      const { packs } = await this.#reader.openRecipe(ref, this.#call);
      needed.set(
        seq,
        [ref.pack, ...packs].map((pack) => this.#name(pack)),
      );
    });
    return { log, events, slices: [...slicesOf(events, needed)] };
  }

  #name(pack: string): string {
    const known = this.#names.get(pack);
    if (known !== undefined) return known;
    this.#names.set(pack, pack);
    return pack;
  }
}

function* slicesOf({ from, to }: NewEvents, needed: ReadonlyMap<number, readonly string[]>): Iterable<Slice> {
  let start = from;
  let recipes = 0;
  let packs = new Set<string>();
  for (let seq = from; seq <= to; seq += 1) {
    const more = needed.get(seq);
    if (more !== undefined) recipes += 1;
    for (const pack of more ?? []) packs.add(pack);
    if (seq < to && seq - start + 1 < SLICE_EVENTS && recipes < SLICE_RECIPES) continue;
    yield { from: start, to: seq, packs: [...packs] };
    start = seq + 1;
    recipes = 0;
    packs = new Set();
  }
}
