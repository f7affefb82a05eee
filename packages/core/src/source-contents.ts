import type { ContentReader, Recipe, RecipeRef } from './content/content-store.ts';
import { IngotError } from './errors.ts';
import type { PackagePlan } from './package/package.ts';

/** A package that lies in no store yet, as something that can be unpacked like one that does. */
export interface PlanContents {
  readonly recipe: RecipeRef;
  readonly contents: ContentReader;
}

/** Reads the contents of a package from where its files lie. What is read is checked by whoever unpacks it. */
export function planContents(plan: PackagePlan): PlanContents {
  const documents = new Map([
    [plan.manifestDigest, plan.manifest],
    [plan.configDigest, plan.config],
  ]);
  const ref: RecipeRef = { digest: plan.manifestDigest, pack: 'none', offset: 0, length: 0 };
  const recipe: Recipe = {
    ref,
    packs: [],
    pages: [],
    contents: [
      ...plan.files.map(({ path, digest, sizeBytes }) => ({
        role: 'file' as const,
        path,
        digest,
        sizeBytes,
        chunks: 1,
      })),
      { role: 'config', digest: plan.configDigest, sizeBytes: plan.config.length, chunks: 1 },
      { role: 'manifest', digest: plan.manifestDigest, sizeBytes: plan.manifest.length, chunks: 1 },
    ],
  };
  const contents: ContentReader = {
    openRecipe: async () => recipe,
    async *read(_recipe, digest) {
      const document = documents.get(digest);
      if (document !== undefined) {
        yield document;
        return;
      }
      const file = plan.files.find((candidate) => candidate.digest === digest);
      if (file === undefined) throw new IngotError('content-not-found', `the package has no content ${digest}`);
      yield* file.open();
    },
  };
  return { recipe: ref, contents };
}
