import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Recipe } from '../content/content-store.ts';
import { type LocalCopy, recipeBytes } from '../content/local-contents.ts';
import type { ReadPage } from '../content/page-stream.ts';

const RECIPE = 'recipe.json';
const PAGES = 'pages';

/** Keeps the recipe and the pages of a package that arrives beside its files, for the versions that come after it. */
export interface PageNotes extends AsyncDisposable {
  onPage(page: ReadPage): void;
  /** Writes what is left. Nothing of it must be durable: it only spares bytes, and is checked when it is used. */
  finish(): Promise<void>;
}

/** Begins notes in a directory, anew. */
export async function openPageNotes(directory: string, recipe: Recipe): Promise<PageNotes> {
  await writeFile(join(directory, RECIPE), recipeBytes(recipe), { mode: 0o600 });
  const stream = createWriteStream(join(directory, PAGES), { mode: 0o600 });
  const done = finished(stream);
  done.catch(() => {});
  return {
    onPage: ({ bytes }) => {
      stream.write(bytes);
      stream.write('\n');
    },
    finish: async () => {
      stream.end();
      await done;
    },
    // After a failure nothing ends the stream, and a file that stays open keeps its file system from being unmounted.
    [Symbol.asyncDispose]: async () => {
      if (stream.closed) return;
      const closed = new Promise<void>((resolve) => stream.once('close', resolve));
      stream.destroy();
      await closed;
    },
  };
}

/** The files that {@link openPageNotes} makes. */
export const NOTED_FILES = [RECIPE, PAGES] as const;

/** What lies in a directory with notes, for finding pieces in the files that were made. */
export function notedCopy(directory: string, fileOf: LocalCopy['fileOf']): LocalCopy {
  return { recipe: join(directory, RECIPE), pages: join(directory, PAGES), fileOf };
}
