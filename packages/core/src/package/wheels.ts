import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentReader, Recipe, RecipeRef } from '../content/content-store.ts';
import { isIngotError } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import type { WheelDirectory } from '../serving/runtime.ts';

/**
 * Brings the wheels that came with a version into a directory of their own, each checked. Undefined when none came, or
 * when the store does not answer: then whoever wants them does without.
 * @param parent where the directory is made.
 * @throws IngotError `integrity`, `interrupted`; and the system's own errors.
 */
export async function fetchWheels(
  contents: ContentReader,
  ref: RecipeRef,
  parent: string,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<WheelDirectory | undefined> {
  const call = { ...(signal && { signal }) };
  const recipe = await reached(() => contents.openRecipe(ref, call));
  if (recipe === undefined || !recipe.contents.some(({ role }) => role === 'wheel')) return undefined;
  await makeDirectory(parent);
  const path = await mkdtemp(join(parent, '.wheels-'));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    const written = await reached(() => writeAll(contents, recipe, path, call));
    if (written !== undefined) return { path, [Symbol.asyncDispose]: remove };
    await remove();
    return undefined;
  } catch (error) {
    await remove();
    throw error;
  }
}

async function writeAll(
  contents: ContentReader,
  recipe: Recipe,
  directory: string,
  call: { readonly signal?: AbortSignal },
): Promise<true> {
  for (const { role, path, digest } of recipe.contents) {
    if (role !== 'wheel' || path === undefined) continue;
    const file = await open(join(directory, path), 'wx', 0o600);
    try {
      for await (const piece of contents.read(recipe, digest, call)) await file.writeFile(piece);
    } finally {
      await file.close();
    }
  }
  return true;
}

async function reached<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isIngotError(error, 'unavailable', 'timeout', 'content-not-found')) return undefined;
    throw error;
  }
}
