import { type Digest, digestOf } from '../digest.ts';
import type { KnownBody } from './checked-source.ts';
import type { PageRef, RecipeContent, RecipeRef } from './content-store.ts';
import type { PackEntry } from './pack.ts';
import { cutPages, encodePage, encodeRecipe, type Piece } from './recipe.ts';

/** What a plan is made from. */
export interface PlanInput {
  readonly contents: readonly KnownBody[];
  /** Pieces of contents that need not be written. */
  readonly stored: ReadonlyMap<Digest, readonly Piece[]>;
  /** Pages that need not be written. */
  readonly pages: ReadonlyMap<Digest, PageRef>;
  /** Names the next pack. */
  readonly nextPack: () => string;
  /** A pack is closed before it grows past this. */
  readonly packBytes: number;
  /** Gives the bytes of a content, checked. */
  readonly open: (content: KnownBody) => AsyncIterable<Uint8Array>;
}

/** A pack to write. */
export interface PlannedPack {
  readonly id: string;
  readonly entries: readonly PackEntry[];
}

/** Everything an upload will write, with every offset known. */
export interface Plan {
  readonly packs: readonly PlannedPack[];
  readonly recipe: RecipeRef;
  /** All packs the recipe relies on, written now or before. */
  readonly relied: readonly string[];
  /** Where the contents that are written now will lie. */
  readonly written: ReadonlyMap<Digest, readonly Piece[]>;
}

/** Lays out packs, pages and recipe of an upload. Pure: nothing is opened or written. */
export function planUpload(input: PlanInput): Plan {
  const layout = new Layout(input.nextPack, input.packBytes);
  const written = new Map<Digest, readonly Piece[]>();
  for (const content of input.contents) {
    const { digest, sizeBytes } = content;
    if (sizeBytes === 0 || input.stored.has(digest) || written.has(digest)) continue;
    written.set(digest, [layout.add({ digest, length: sizeBytes, open: () => input.open(content) })]);
  }
  const groups = [input.contents.filter(isFile), input.contents.filter((content) => !isFile(content))];
  const piecesOf = ({ digest }: KnownBody) => input.stored.get(digest) ?? written.get(digest) ?? [];
  const pieces = groups.map((contents) => contents.flatMap(piecesOf));
  const pages = placePages(cutPages(pieces), input.pages, layout);
  const contents = groups.flat().map((content) => listed(content, piecesOf(content).length));
  const relied = new Set([...pieces.flat(), ...pages].map(({ pack }) => pack)).add(layout.lastPack());
  const bytes = encodeRecipe({ contents, pages, packs: [...relied] });
  const recipe = layout.addLast(entryOf(bytes));
  return { packs: layout.packs(), recipe, relied: [...relied], written };
}

function isFile(content: KnownBody): boolean {
  return content.role === 'file';
}

function listed({ role, path, digest, sizeBytes }: KnownBody, chunks: number): RecipeContent {
  return { role, ...(path === undefined ? {} : { path }), digest, sizeBytes, chunks };
}

function placePages(
  cut: readonly (readonly Piece[])[],
  known: ReadonlyMap<Digest, PageRef>,
  layout: Layout,
): readonly PageRef[] {
  const placed = new Map(known);
  return cut.map((pieces) => {
    const entry = entryOf(encodePage(pieces));
    const there = placed.get(entry.digest);
    if (there !== undefined) return there;
    const page = { ...layout.addLast(entry), pieces: pieces.length };
    placed.set(entry.digest, page);
    return page;
  });
}

function entryOf(bytes: Uint8Array): PackEntry {
  return {
    digest: digestOf(bytes),
    length: bytes.byteLength,
    open: async function* () {
      yield bytes;
    },
  };
}

interface OpenPack {
  readonly id: string;
  readonly entries: PackEntry[];
  bytes: number;
}

/** Fills packs: a content larger than a pack lies alone in one, all others share. */
class Layout {
  readonly #nextPack: () => string;
  readonly #packBytes: number;
  readonly #packs: OpenPack[] = [];
  #current: OpenPack | undefined;

  constructor(nextPack: () => string, packBytes: number) {
    this.#nextPack = nextPack;
    this.#packBytes = packBytes;
  }

  add(entry: PackEntry): Piece {
    if (entry.length >= this.#packBytes) return put(entry, this.#open());
    if (this.#current !== undefined && this.#current.bytes + entry.length > this.#packBytes) this.#current = undefined;
    return this.addLast(entry);
  }

  /** Adds to the shared pack that is open, however full it is. */
  addLast(entry: PackEntry): Piece {
    this.#current ??= this.#open();
    return put(entry, this.#current);
  }

  lastPack(): string {
    this.#current ??= this.#open();
    return this.#current.id;
  }

  packs(): readonly PlannedPack[] {
    return this.#packs;
  }

  #open(): OpenPack {
    const pack = { id: this.#nextPack(), entries: [], bytes: 0 };
    this.#packs.push(pack);
    return pack;
  }
}

function put(entry: PackEntry, pack: OpenPack): Piece {
  const piece = { digest: entry.digest, pack: pack.id, offset: pack.bytes, length: entry.length };
  pack.entries.push(entry);
  pack.bytes += entry.length;
  return piece;
}
