import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContentReader, Recipe, RecipeRef } from './content/content-store.ts';
import type { Capture } from './capture.ts';
import { type Digest, digestOf } from './digest.ts';
import { IngotError } from './errors.ts';
import type { CachedPackage } from './package/cache.ts';
import { captureBytes } from './package/captured.ts';
import { fileContents } from './package/file-contents.ts';
import type { PackagePlan } from './package/package.ts';

/** A package that lies in no store, as something that can be unpacked like one that does. */
export interface LooseContents {
  readonly recipe: RecipeRef;
  readonly contents: ContentReader;
}

/**
 * Reads the contents of a package from where its files lie, with what they say of the version (sample rows). What is read
 * is checked by whoever unpacks it.
 */
export function planContents(plan: PackagePlan, captured?: Capture): LooseContents {
  const documents = {
    manifest: plan.manifest,
    config: plan.config,
    ...(captured && { captured: captureBytes(captured) }),
  };
  return looseContents(plan.manifestDigest, documents, plan.files);
}

/** Reads the contents of a package that the cache has. */
export async function cachedContents({ manifest, directory, description }: CachedPackage): Promise<LooseContents> {
  const document = (name: string): Promise<Uint8Array> => readFile(join(dirname(directory), name));
  const documents = { manifest: await document('manifest.json'), config: await document('config.json') };
  const files = description.files.map((file) => ({
    ...file,
    open: () => createReadStream(join(directory, file.path)),
  }));
  return looseContents(manifest, documents, files);
}

const ROLES = ['captured', 'config', 'manifest'] as const;

interface LooseFile {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
}

function looseContents(
  manifest: Digest,
  documents: Readonly<Partial<Record<(typeof ROLES)[number], Uint8Array>>>,
  files: readonly LooseFile[],
): LooseContents {
  const ref: RecipeRef = { digest: manifest, pack: 'none', offset: 0, length: 0 };
  const roles = ROLES.flatMap((role) => {
    const bytes = documents[role];
    return bytes === undefined ? [] : [{ role, bytes, digest: digestOf(bytes), sizeBytes: bytes.length, chunks: 1 }];
  });
  const recipe: Recipe = {
    ref,
    packs: [],
    pages: [],
    contents: [...fileContents(files), ...roles.map(({ bytes: _, ...content }) => content)],
  };
  const byDigest = new Map(files.map((file) => [file.digest, file]));
  const contents: ContentReader = {
    openRecipe: async () => recipe,
    async *read(_recipe, digest) {
      const document = roles.find((role) => role.digest === digest);
      const file = byDigest.get(digest);
      if (document !== undefined) yield document.bytes;
      else if (file !== undefined) yield* file.open();
      else throw new IngotError('content-not-found', `the package has no content ${digest}`);
    },
  };
  return { recipe: ref, contents };
}
