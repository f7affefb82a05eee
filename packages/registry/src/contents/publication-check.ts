import type { BlobOptions, BlobStore } from '@ingot/core/blob/blob-store';
import { collect } from '@ingot/core/blob/bytes';
import type { Recipe, RecipeRef } from '@ingot/core/content/content-store';
import { packKey } from '@ingot/core/content/locator';
import type { RecipeReader } from '@ingot/core/content/recipe-reader';
import { absentPacks } from '@ingot/core/content/roots';
import type { Digest } from '@ingot/core/digest';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { parseManifest } from '@ingot/core/package/manifest-read';
import type { PackageDescription } from '@ingot/core/package/package';
import type { VersionDraft } from '@ingot/core/registry/registry';
import type { Kysely } from 'kysely';
import type { Identity } from '../access/identity.ts';
import type { BlobAccess } from './blob-access.ts';
import { checkedPack } from './checked-pack.ts';
import type { FooterShelf } from './footer-shelf.ts';
import { MAX_PACK_BYTES } from './pack-intake.ts';
import type { PackSpool } from './pack-spool.ts';
import type { PieceReader } from './pack-ledger.ts';
import { checkPieces } from './piece-check.ts';
import type { Reach } from './reach.ts';
import type { ContentTables } from './tables.ts';
import { wholeOf } from './whole-digest.ts';

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const PACKS_AT_ONCE = 500;
const CHECKED_KEPT = 1000;

/** What was found of a package. */
interface CheckedFacts {
  readonly facts: Pick<VersionDraft, 'sizeBytes' | 'fileCount' | 'flavor'>;
  /** Packs that it relies on. */
  readonly packs: readonly string[];
}

function keyOf({ recipe: { digest, pack, offset, length }, manifest, captured }: VersionDraft): string {
  return JSON.stringify([digest, pack, offset, length, manifest, captured]);
}

function isSame(one: RecipeRef, other: RecipeRef): boolean {
  const { digest, pack, offset, length } = one;
  return digest === other.digest && pack === other.pack && offset === other.offset && length === other.length;
}

/** What checking a publication needs. */
export interface PublicationCheckOptions {
  readonly blobs: BlobStore;
  readonly contents: RecipeReader;
  readonly pages: PieceReader;
  readonly footers: FooterShelf;
  readonly spool: PackSpool;
  readonly access: BlobAccess;
  readonly tables: Kysely<ContentTables>;
}

/** What somebody wants to publish, and what is known of the model. */
export interface Publication {
  readonly identity: Identity;
  readonly draft: VersionDraft;
  /** Recipes of versions that were checked before: pages and contents that they list are not read again. */
  readonly base: readonly RecipeRef[];
  readonly signal?: AbortSignal;
}

/**
 * Looks at what a client has uploaded before it becomes a version: everything the draft names is there, is the caller's
 * to use, and has the digests that are claimed. So a digest never stands for bytes that nobody has shown.
 */
export class PublicationCheck {
  readonly #options: PublicationCheckOptions;
  readonly #checked = new Map<string, CheckedFacts>();

  constructor(options: PublicationCheckOptions) {
    this.#options = options;
  }

  /**
   * Gives the draft with the facts of the package itself instead of the claimed ones.
   * @throws IngotError `integrity` (bytes are not what their digest says), `invalid-package` (no manifest, or one that
   * lists other files), `conflict` (contents are gone: push again), `forbidden` (contents of others).
   */
  async checked({ identity, draft, base, signal }: Publication): Promise<VersionDraft> {
    const options = signal === undefined ? {} : { signal };
    const known = await this.#publishedBefore(identity, draft, base);
    if (known !== undefined) return { ...draft, ...known };
    const { contents, pages, footers } = this.#options;
    const reach = await this.#reachOf(identity, draft.recipe.pack);
    const recipe = await this.#recipe(draft.recipe, options);
    const reaches = new Map([[draft.recipe.pack, reach]]);
    for (const pack of recipe.packs) if (!reaches.has(pack)) reaches.set(pack, await this.#reachOf(identity, pack));
    await this.#checkPacks([...reaches.keys()], options);
    const earlier = await Promise.all(base.map((ref) => this.#knownRecipe(ref, options)));
    const before = earlier.filter((other) => other !== undefined);
    const trusted = new Set(before.flatMap((other) => other.pages.map(({ digest }) => digest)));
    await checkPieces({ recipe, reaches, trusted }, { reader: pages, footers }, options);
    const description = await this.#description(recipe, draft.manifest, options);
    if (draft.captured !== undefined) requireContent(recipe, draft.captured, 'captured');
    await this.#checkWholes(contents, recipe, before, options);
    const sizeBytes = description.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const facts = { sizeBytes, fileCount: description.files.length, flavor: description.flavor };
    this.#keep(draft, { facts, packs: [...reaches.keys()] });
    return { ...draft, ...facts };
  }

  /**
   * What was found of the very same package, when one of the model's newest versions has it: that version keeps its
   * packs, whose bytes never change. Whether they are the caller's to read is asked anew.
   */
  async #publishedBefore(
    identity: Identity,
    draft: VersionDraft,
    base: readonly RecipeRef[],
  ): Promise<CheckedFacts['facts'] | undefined> {
    const checked = this.#checked.get(keyOf(draft));
    if (checked === undefined || !base.some((ref) => isSame(ref, draft.recipe))) return undefined;
    const reaches = await Promise.all(checked.packs.map((pack) => this.#reachOf(identity, pack)));
    return reaches.every((reach) => reach === 'all') ? checked.facts : undefined;
  }

  #keep(draft: VersionDraft, checked: CheckedFacts): void {
    this.#checked.set(keyOf(draft), checked);
    const [oldest] = this.#checked.keys();
    if (this.#checked.size > CHECKED_KEPT && oldest !== undefined) this.#checked.delete(oldest);
  }

  async #reachOf(identity: Identity, pack: string): Promise<Reach> {
    const reach = await this.#options.access.reachOf(identity, pack);
    if (reach !== undefined) return reach;
    throw new IngotError('forbidden', `the package relies on pack ${pack}, which is not yours to read`);
  }

  async #recipe(ref: RecipeRef, options: BlobOptions): Promise<Recipe> {
    try {
      return await this.#options.contents.openRecipe(ref, options);
    } catch (error) {
      if (!isIngotError(error, 'content-not-found', 'integrity')) throw error;
      throw new IngotError('integrity', `the recipe ${ref.digest} is not where the publication says`, { cause: error });
    }
  }

  async #checkPacks(packs: readonly string[], options: BlobOptions): Promise<void> {
    const { blobs, tables } = this.#options;
    const absent = await absentPacks(blobs, packs, options);
    if (absent.size > 0)
      throw new IngotError('conflict', `${absent.size} packs that the package relies on are gone`, {
        hint: 'push again',
      });
    for (let at = 0; at < packs.length; at += PACKS_AT_ONCE) {
      const some = packs.slice(at, at + PACKS_AT_ONCE);
      const unchecked = await tables.selectFrom('unchecked_packs').select('pack').where('pack', 'in', some).execute();
      for (const { pack } of unchecked) await this.#checkDirect(pack, options);
    }
  }

  /** Looks at a pack that went straight to the storage. */
  async #checkDirect(pack: string, options: BlobOptions): Promise<void> {
    const { blobs, tables, spool, footers } = this.#options;
    await using held = spool.open();
    for await (const bytes of blobs.read(packKey(pack), options)) {
      if (held.sizeBytes + bytes.byteLength > MAX_PACK_BYTES)
        throw new IngotError('integrity', `pack ${pack} is larger than ${MAX_PACK_BYTES} bytes`);
      await held.add(bytes);
    }
    footers.put(pack, await checkedPack(pack, held));
    await tables.deleteFrom('unchecked_packs').where('pack', '=', pack).execute();
  }

  async #description(recipe: Recipe, manifest: Digest, options: BlobOptions): Promise<PackageDescription> {
    const { sizeBytes } = requireContent(recipe, manifest, 'manifest');
    if (sizeBytes > MAX_MANIFEST_BYTES) throw new IngotError('invalid-package', 'the manifest is larger than 4 MiB');
    const bytes = await collect(this.#options.contents.read(recipe, manifest, options));
    const description = parseManifest(bytes, { expected: manifest, contents: recipe.contents });
    const listed = new Map(
      recipe.contents.flatMap((content) =>
        content.path === undefined || content.role !== 'file' ? [] : [[content.path, content]],
      ),
    );
    for (const { path, digest, sizeBytes: size } of description.files) {
      const content = listed.get(path);
      if (content?.digest !== digest || content.sizeBytes !== size)
        throw new IngotError('invalid-package', `the manifest lists "${path}", which was not uploaded as it says`, {
          details: { path },
        });
    }
    return description;
  }

  /** An earlier version that is lost vouches for nothing. */
  async #knownRecipe(ref: RecipeRef, options: BlobOptions): Promise<Recipe | undefined> {
    try {
      return await this.#options.contents.openRecipe(ref, options);
    } catch (error) {
      if (isIngotError(error, 'content-not-found', 'integrity')) return undefined;
      throw error;
    }
  }

  // That each piece is what it says was checked; what many pieces make together only shows in all of them.
  async #checkWholes(
    reader: RecipeReader,
    recipe: Recipe,
    before: readonly Recipe[],
    options: BlobOptions,
  ): Promise<void> {
    for (const { digest, chunks, sizeBytes } of recipe.contents) {
      if (chunks < 2) {
        await checkSingle(reader, recipe, { digest, sizeBytes }, options);
        continue;
      }
      if (await isMadeAsBefore(reader, recipe, before, digest)) continue;
      const whole = await wholeOf(this.#options.blobs, reader, recipe, digest, options);
      if (whole.digest !== digest || whole.sizeBytes !== sizeBytes)
        throw new IngotError(
          'integrity',
          `content ${digest} does not have its digest, though each of its pieces does`,
          {
            hint: 'push again',
          },
        );
    }
  }
}

/** A content of one piece: `slice` checks the digest, the length is that of the piece. */
async function checkSingle(
  reader: RecipeReader,
  recipe: Recipe,
  { digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number },
  options: BlobOptions,
): Promise<void> {
  let bytes = 0;
  for await (const pieces of reader.pieces(recipe, digest, options))
    for (const { length, sizeBytes: size } of pieces) bytes += size ?? length;
  if (bytes !== sizeBytes)
    throw new IngotError('integrity', `content ${digest} has ${bytes} bytes, and the recipe says ${sizeBytes}`);
}

/** Whether an earlier version makes a content of the same pieces. */
async function isMadeAsBefore(
  reader: RecipeReader,
  recipe: Recipe,
  before: readonly Recipe[],
  digest: Digest,
): Promise<boolean> {
  const other = before.find(({ contents }) => contents.some((content) => content.digest === digest));
  if (other === undefined) return false;
  const theirs = piecesOf(reader, other, digest);
  for await (const piece of piecesOf(reader, recipe, digest)) {
    const next = await theirs.next();
    if (next.done === true || next.value !== piece) return false;
  }
  return (await theirs.next()).done === true;
}

async function* piecesOf(reader: RecipeReader, recipe: Recipe, digest: Digest): AsyncGenerator<Digest, void> {
  for await (const pieces of reader.pieces(recipe, digest)) for (const piece of pieces) yield piece.digest;
}

function requireContent(recipe: Recipe, digest: Digest, role: 'manifest' | 'captured') {
  const content = recipe.contents.find((candidate) => candidate.digest === digest && candidate.role === role);
  if (content !== undefined) return content;
  throw new IngotError('invalid-package', `the upload has no ${role} ${digest}`, { details: { digest } });
}
