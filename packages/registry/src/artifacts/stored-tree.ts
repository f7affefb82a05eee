import type { RecipeRef } from '@ingot/core/content/content-store';
import { type Digest, digestOf } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import { parsePublished } from '@ingot/core/registry/version-body';
import type { VersionDraft } from '@ingot/core/registry/registry';
import { type StoredPackage, storePackage } from '@ingot/core/store-package';
import { prepared } from '../database/prepared.ts';
import { type ArtifactContext, newId } from './artifact-context.ts';
import type { ArtifactPath } from './artifact-path.ts';
import { type ArtifactFile, filesBelow, parseRecipe, recipesOf, unstage } from './artifact-rows.ts';
import type { ArtifactReader } from './artifact-reader.ts';
import { releaseHoldings, removeRoot } from './holdings.ts';
import { showTree } from './tree-directory.ts';

/** What was made of a directory: all that the event of a version of it says. */
export type PackagedTree = VersionDraft;

/** How the root of a package is called. */
export interface PackagedAs {
  readonly kind: 'artifacts' | 'logged-models';
  readonly id: string;
}

/** What packaging works with. */
export interface Packaging {
  readonly context: ArtifactContext;
  readonly reader: ArtifactReader;
}

/**
 * Makes a package of a directory of the tree, as a push of it would, or gives the one that was made of the same files.
 * What lies in packs is not written again; what is staged moves into the package's own.
 * @throws IngotError `not-found` for a directory without files, `invalid-package`, and as the store does.
 */
export async function packageTree(
  { context, reader }: Packaging,
  directory: ArtifactPath,
  as?: PackagedAs,
): Promise<PackagedTree> {
  const { own } = context.database;
  const files = await filesBelow(own, directory.text);
  if (files.length === 0 || files[0]?.path === directory.text)
    throw new IngotError('not-found', `No such artifact: ${directory.text} is no directory with files`);
  const tree = treeDigest(files);
  const known = await knownPackage(context, directory.text, tree);
  if (known !== undefined) return known;
  await using shown = await showTree(files, {
    scratch: context.scratch,
    root: directory.text,
    read: (file, range) => reader.read(file, range === undefined ? {} : { range }),
  });
  const byPath = new Map(
    files.map((file) => [
      file.path.slice(directory.text.length + 1),
      { digest: file.digest, sizeBytes: file.sizeBytes, open: () => reader.read(file) },
    ]),
  );
  const base = await recipesOf(
    own,
    files.flatMap(({ holding }) => holding ?? []),
  );
  return await keepPackage(context, { source: directory.text, tree, as, base, files }, (upload) =>
    storePackage(shown.path, { upload, name: 'model', files: byPath, scratch: context.scratch }),
  );
}

/** What is kept as a package, and what of the tree it takes along. */
export interface KeptPackage {
  readonly source: string;
  readonly tree: Digest;
  readonly as?: PackagedAs | undefined;
  readonly base?: readonly RecipeRef[];
  /** Files whose bytes it has. */
  readonly files?: readonly ArtifactFile[];
}

/** Stores a package and notes it; an earlier one of the same source goes. */
export async function keepPackage(
  context: ArtifactContext,
  { source, tree, as, base = [], files = [] }: KeptPackage,
  store: (upload: Parameters<typeof storePackage>[1]['upload']) => Promise<StoredPackage>,
): Promise<PackagedTree> {
  const { database, owner, now } = context;
  const id = newId(context);
  const keptAs = { kind: 'artifacts', id, ...as, owner };
  await using upload = await context.store.contents.openUpload({ keptAs, base });
  const stored = await store(upload);
  const { recipe, root = '' } = await upload.seal();
  const at = now().toISOString();
  try {
    const before = await database.own.transaction().execute(async (own) => {
      await own
        .insertInto('artifact_holdings')
        .values({ id, recipe: JSON.stringify(recipe), root, at })
        .execute();
      const row = await own
        .selectFrom('artifact_packages')
        .select('holding')
        .where('source', '=', source)
        .executeTakeFirst();
      const facts = { source, tree, holding: id, stored: JSON.stringify(stored), at };
      await own
        .insertInto('artifact_packages')
        .values(facts)
        .onConflict((conflict) => conflict.column('source').doUpdateSet(facts))
        .execute();
      await unstage(
        own,
        files.filter(({ holding }) => holding === undefined),
        id,
      );
      return row?.holding;
    });
    if (before !== undefined) await releaseHoldings(context, [before]);
  } catch (error) {
    await removeRoot(context.store.blobs, root);
    throw error;
  }
  await upload.release();
  return { ...stored, recipe };
}

const packageOf = prepared<{ readonly stored: string; readonly recipe: string }>(
  `select p.stored, h.recipe from artifact_packages as p join artifact_holdings as h on h.id = p.holding
    where p.source = ? and p.tree = ?`,
);

/** The package that was made of the same files; undefined when there is none. */
export async function knownPackage(
  { database }: Pick<ArtifactContext, 'database'>,
  source: string,
  tree: Digest,
): Promise<PackagedTree | undefined> {
  const [row] = (await packageOf(database.own, [source, tree])).rows;
  if (row === undefined) return undefined;
  const stored: unknown = JSON.parse(row.stored);
  if (!isJsonObject(stored)) throw new IngotError('integrity', 'a package in the database of artifacts is damaged');
  const recipe = { ...parseRecipe(row.recipe) };
  const { labelFrom } = stored;
  const { number: _, labelShadowed: __, ...facts } = parsePublished({ ...stored, recipe, number: 1 }, source);
  return { ...facts, ...(labelFrom === 'metadata' && { labelFrom }) };
}

function treeDigest(files: readonly ArtifactFile[]): Digest {
  return digestOf(files.map(({ path, digest }) => `${path}\t${digest}\n`).join(''));
}
