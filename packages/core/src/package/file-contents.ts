import type { RecipeContent } from '../content/content-store.ts';
import type { HashedFile } from './manifest.ts';

/** Files that lie in a directory as a recipe would list them, one piece each: what checks a manifest against them. */
export function fileContents(files: readonly Pick<HashedFile, 'path' | 'digest' | 'sizeBytes'>[]): RecipeContent[] {
  return files.map(({ path, digest, sizeBytes }) => ({ role: 'file', path, digest, sizeBytes, chunks: 1 }));
}
