import type { Capture } from '../capture.ts';
import type { ContentReader, ContentRole, Recipe, RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import { readCapture } from './captured.ts';
import { type ManifestDescription, parseManifest } from './manifest-read.ts';

/** A package in a content store: its documents read and checked, its files still there. */
export interface StoredPackage {
  readonly recipe: Recipe;
  readonly description: ManifestDescription;
  readonly manifest: Uint8Array;
  readonly config: Uint8Array;
  readonly captured?: { readonly digest: Digest; readonly bytes: Uint8Array; readonly capture: Capture };
}

const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/**
 * Opens a stored package: recipe, manifest, config and captured document.
 * @throws IngotError `integrity` when the recipe's manifest is not `manifest`, `content-not-found`, `invalid-package`.
 */
export async function openStoredPackage(
  contents: ContentReader,
  version: { readonly manifest: Digest; readonly recipe: RecipeRef },
  options: { readonly signal?: AbortSignal } = {},
): Promise<StoredPackage> {
  const recipe = await contents.openRecipe(version.recipe, options);
  const document = async (
    role: ContentRole,
  ): Promise<{ readonly digest: Digest; readonly bytes: Uint8Array } | undefined> => {
    const found = recipe.contents.find((content) => content.role === role);
    return found === undefined
      ? undefined
      : { digest: found.digest, bytes: await readDocument(contents, recipe, found.digest, options.signal) };
  };
  const roles = ['manifest', 'config', 'captured'] as const;
  const [manifest, config, captured] = await Promise.all(roles.map(document));
  if (manifest === undefined || config === undefined) {
    throw new IngotError(
      'integrity',
      `the package ${version.manifest} has no ${manifest === undefined ? 'manifest' : 'config'} in its recipe`,
      { operation: 'package.open' },
    );
  }
  const capture = captured === undefined ? undefined : readCapture(captured.bytes);
  const description = parseManifest(manifest.bytes, {
    expected: version.manifest,
    contents: recipe.contents,
    captured: capture,
  });
  return {
    recipe,
    description,
    manifest: manifest.bytes,
    config: config.bytes,
    ...(captured === undefined || capture === undefined ? {} : { captured: { ...captured, capture } }),
  };
}

async function readDocument(
  contents: ContentReader,
  recipe: Recipe,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of contents.read(recipe, digest, { signal })) {
    bytes += piece.length;
    if (bytes > MAX_DOCUMENT_BYTES)
      throw new IngotError('integrity', `the document ${digest} is larger than 16 MiB`, { operation: 'package.open' });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
