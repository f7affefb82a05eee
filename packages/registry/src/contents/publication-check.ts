import type { BlobStore } from '@ingot/core/blob/blob-store';
import { collect } from '@ingot/core/blob/bytes';
import type { ContentReader, Recipe, RecipeContent, RecipeRef } from '@ingot/core/content/content-store';
import { packKey } from '@ingot/core/content/locator';
import { absentPacks } from '@ingot/core/content/roots';
import type { Digest } from '@ingot/core/digest';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { verifyPack } from '@ingot/core/mirror-pack-verifier';
import { parseManifest } from '@ingot/core/package/manifest-read';
import type { PackageDescription } from '@ingot/core/package/package';
import type { VersionDraft } from '@ingot/core/registry/registry';
import type { Kysely } from 'kysely';
import type { Identity } from '../access/identity.ts';
import type { BlobAccess } from './blob-access.ts';
import type { ContentTables } from './tables.ts';

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** What checking a publication needs. */
export interface PublicationCheckOptions {
  readonly blobs: BlobStore;
  readonly contents: ContentReader;
  readonly access: BlobAccess;
  readonly tables: Kysely<ContentTables>;
}

/** What somebody wants to publish, and what is known of the model. */
export interface Publication {
  readonly identity: Identity;
  readonly draft: VersionDraft;
  /** Recipes of versions that were checked before: contents that they list are not read again. */
  readonly base: readonly RecipeRef[];
  readonly signal?: AbortSignal;
}

/**
 * Looks at what a client has uploaded before it becomes a version: everything the draft names is there, is the caller's
 * to use, and has the digests that are claimed. So a digest never stands for bytes that nobody has shown.
 */
export class PublicationCheck {
  readonly #options: PublicationCheckOptions;

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
    const recipe = await this.#recipe(draft.recipe, options);
    const packs = [...new Set([...recipe.packs, draft.recipe.pack])];
    await this.#checkPacks(identity, packs, options);
    const description = await this.#description(recipe, draft.manifest, options);
    if (draft.captured !== undefined) requireContent(recipe, draft.captured, 'captured');
    await this.#checkWholes(recipe, base, options);
    const sizeBytes = description.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    return { ...draft, sizeBytes, fileCount: description.files.length, flavor: description.flavor };
  }

  async #recipe(ref: RecipeRef, options: { readonly signal?: AbortSignal }): Promise<Recipe> {
    try {
      return await this.#options.contents.openRecipe(ref, options);
    } catch (error) {
      if (!isIngotError(error, 'content-not-found', 'integrity')) throw error;
      throw new IngotError('integrity', `the recipe ${ref.digest} is not where the publication says`, { cause: error });
    }
  }

  async #checkPacks(identity: Identity, packs: readonly string[], options: { readonly signal?: AbortSignal }) {
    const { access, blobs, tables } = this.#options;
    for (const pack of packs)
      if (!(await access.mayReadPack(identity, pack)))
        throw new IngotError('forbidden', `the package relies on pack ${pack}, which is not yours to read`);
    const absent = await absentPacks(blobs, packs, options);
    if (absent.size > 0)
      throw new IngotError('conflict', `${absent.size} packs that the package relies on are gone`, {
        hint: 'push again',
      });
    const unchecked = await tables.selectFrom('unchecked_packs').select('pack').where('pack', 'in', packs).execute();
    for (const { pack } of unchecked) await this.#checkDirect(pack, options);
  }

  /** Looks at a pack that went straight to the storage. */
  async #checkDirect(pack: string, options: { readonly signal?: AbortSignal }): Promise<void> {
    const { blobs, tables } = this.#options;
    try {
      verifyPack(pack, await collect(blobs.read(packKey(pack), options)));
    } catch (error) {
      if (!isIngotError(error, 'integrity') && !(error instanceof RangeError)) throw error;
      throw new IngotError('integrity', `pack ${pack} is not what it says it is`, { hint: 'push again', cause: error });
    }
    await tables.deleteFrom('unchecked_packs').where('pack', '=', pack).execute();
  }

  async #description(
    recipe: Recipe,
    manifest: Digest,
    options: { readonly signal?: AbortSignal },
  ): Promise<PackageDescription> {
    const { sizeBytes } = requireContent(recipe, manifest, 'manifest');
    if (sizeBytes > MAX_MANIFEST_BYTES) throw new IngotError('invalid-package', 'the manifest is larger than 4 MiB');
    const bytes = await collect(this.#options.contents.read(recipe, manifest, options));
    const description = parseManifest(bytes, { expected: manifest, contents: recipe.contents });
    const listed = new Map(
      recipe.contents.flatMap((content) => (content.path === undefined ? [] : [[content.path, content]])),
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
  async #contentsOf(ref: RecipeRef, options: { readonly signal?: AbortSignal }): Promise<readonly RecipeContent[]> {
    try {
      return (await this.#options.contents.openRecipe(ref, options)).contents;
    } catch (error) {
      if (isIngotError(error, 'content-not-found', 'integrity')) return [];
      throw error;
    }
  }

  // A piece is checked when it arrives; what many pieces make together only shows in all of them.
  async #checkWholes(recipe: Recipe, base: readonly RecipeRef[], options: { readonly signal?: AbortSignal }) {
    const { contents } = this.#options;
    const wholes = recipe.contents.filter(({ chunks }) => chunks > 1);
    if (wholes.length === 0) return;
    const known = new Set<Digest>();
    for (const { digest } of (await Promise.all(base.map((ref) => this.#contentsOf(ref, options)))).flat())
      known.add(digest);
    for (const { digest } of wholes) {
      if (known.has(digest)) continue;
      for await (const _ of contents.read(recipe, digest, options)) {
        // Reading checks it.
      }
    }
  }
}

function requireContent(recipe: Recipe, digest: Digest, role: 'manifest' | 'captured') {
  const content = recipe.contents.find((candidate) => candidate.digest === digest && candidate.role === role);
  if (content !== undefined) return content;
  throw new IngotError('invalid-package', `the upload has no ${role} ${digest}`, { details: { digest } });
}
