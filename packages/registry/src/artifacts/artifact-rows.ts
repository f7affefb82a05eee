import type { RecipeRef } from '@ingot/core/content/content-store';
import { type Digest, isDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import type { Kysely } from 'kysely';
import type { OwnTables } from '../database/own-tables.ts';
import { prepared } from '../database/prepared.ts';
import type { ArtifactPath } from './artifact-path.ts';
import type { ArtifactHoldingRow, ArtifactNodeRow } from './tables.ts';

/** A file that is to have a place in the tree. */
export interface PlacedFile {
  readonly path: ArtifactPath;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Its bytes, which are staged; or the holding that has them. */
  readonly place: { readonly bytes: Uint8Array } | { readonly holding: string };
}

/** A file of the tree. */
export interface ArtifactFile {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Undefined: it is staged. */
  readonly holding: string | undefined;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** A file or directory, as a listing has it. */
export interface ArtifactEntry {
  readonly name: string;
  /** Undefined: a directory. */
  readonly sizeBytes: number | undefined;
}

type Own = Kysely<OwnTables>;

/** Most rows that one statement names. */
const AT_ONCE = 200;

/**
 * Gives files their places, and makes the directories above them; what stood there is replaced. All or nothing.
 * @param holding what has the bytes of some, when it is new.
 * @returns holdings that have lost a file.
 * @throws IngotError `invalid-request` when a file would be where a directory is, or the other way round.
 */
export async function placeFiles(
  own: Own,
  files: readonly PlacedFile[],
  holding?: ArtifactHoldingRow,
): Promise<readonly string[]> {
  const newest = [...new Map(files.map((file) => [file.path.text, file])).values()];
  return await own.transaction().execute(async (transaction) => {
    if (holding !== undefined) await transaction.insertInto('artifact_holdings').values(holding).execute();
    const before = await nodesAt(transaction, newest);
    const directories = newDirectories(newest, before);
    if (directories.length > 0)
      await transaction
        .insertInto('artifact_nodes')
        .values(directories)
        .onConflict((conflict) => conflict.column('path').doNothing())
        .execute();
    await transaction
      .insertInto('artifact_nodes')
      .values(newest.map(nodeOf))
      .onConflict((conflict) =>
        conflict.column('path').doUpdateSet((set) => ({
          digest: set.ref('excluded.digest'),
          size_bytes: set.ref('excluded.size_bytes'),
          holding: set.ref('excluded.holding'),
          at: set.ref('excluded.at'),
        })),
      )
      .execute();
    await stage(transaction, newest);
    return newest.flatMap(({ path }) => before.get(path.text)?.holding ?? []);
  });
}

async function nodesAt(
  own: Own,
  files: readonly PlacedFile[],
): Promise<ReadonlyMap<string, Pick<ArtifactNodeRow, 'path' | 'is_directory' | 'holding'>>> {
  const paths = [...new Set(files.flatMap(({ path }) => [path.text, ...path.above]))];
  const found = new Map<string, Pick<ArtifactNodeRow, 'path' | 'is_directory' | 'holding'>>();
  for (const some of portions(paths)) {
    const rows = await own
      .selectFrom('artifact_nodes')
      .select(['path', 'is_directory', 'holding'])
      .where('path', 'in', some)
      .execute();
    for (const row of rows) found.set(row.path, row);
  }
  return found;
}

function newDirectories(
  files: readonly PlacedFile[],
  before: ReadonlyMap<string, Pick<ArtifactNodeRow, 'is_directory'>>,
): readonly ArtifactNodeRow[] {
  const wanted = new Map<string, ArtifactNodeRow>();
  for (const { path, at } of files) {
    if (before.get(path.text)?.is_directory === 1) throw inTheWay(path.text, 'a directory');
    for (const directory of path.above) {
      const there = before.get(directory);
      if (there?.is_directory === 0) throw inTheWay(directory, 'a file');
      if (there !== undefined || wanted.has(directory)) continue;
      const slash = directory.lastIndexOf('/');
      wanted.set(directory, {
        path: directory,
        parent: directory.slice(0, Math.max(0, slash)),
        name: directory.slice(slash + 1),
        is_directory: 1,
        digest: null,
        size_bytes: null,
        holding: null,
        at,
      });
    }
  }
  const clash = files.find(({ path }) => wanted.has(path.text));
  if (clash !== undefined) throw inTheWay(clash.path.text, 'a directory');
  return [...wanted.values()];
}

function nodeOf({ path, digest, sizeBytes, at, place }: PlacedFile): ArtifactNodeRow {
  const holding = 'holding' in place ? place.holding : null;
  const { text, parent, name } = path;
  return { path: text, parent, name, is_directory: 0, digest, size_bytes: sizeBytes, holding, at };
}

async function stage(own: Own, files: readonly PlacedFile[]): Promise<void> {
  const unstaged = files.flatMap(({ path, place }) => ('holding' in place ? [path.text] : []));
  if (unstaged.length > 0) await own.deleteFrom('artifact_staged').where('path', 'in', unstaged).execute();
  const staged = files.flatMap(({ path, digest, sizeBytes, at, place }) =>
    'bytes' in place ? [{ path: path.text, digest, size_bytes: sizeBytes, bytes: place.bytes, at }] : [],
  );
  if (staged.length === 0) return;
  await own
    .insertInto('artifact_staged')
    .values(staged)
    .onConflict((conflict) =>
      conflict.column('path').doUpdateSet((set) => ({
        digest: set.ref('excluded.digest'),
        size_bytes: set.ref('excluded.size_bytes'),
        bytes: set.ref('excluded.bytes'),
        at: set.ref('excluded.at'),
      })),
    )
    .execute();
}

/** Finds a file; undefined also for a directory. */
export async function findFile(own: Own, path: string): Promise<ArtifactFile | undefined> {
  const row = await own.selectFrom('artifact_nodes').selectAll().where('path', '=', path).executeTakeFirst();
  return row && fileOf(row);
}

/** Lists a directory by name; nothing for what is none. */
export async function listDirectory(own: Own, path: string): Promise<readonly ArtifactEntry[]> {
  const rows = await own
    .selectFrom('artifact_nodes')
    .select(['name', 'size_bytes'])
    .where('parent', '=', path)
    .orderBy('name')
    .execute();
  return rows.map(({ name, size_bytes }) => ({ name, sizeBytes: size_bytes ?? undefined }));
}

/** All files and directories at and below a path. One query. */
export async function nodesBelow(own: Own, path: string): Promise<readonly ArtifactNodeRow[]> {
  return (await below(own, [path])).rows;
}

const below = prepared<ArtifactNodeRow>(`select * from (
  with recursive below as (
    select * from artifact_nodes where path = ?
    union all
    select n.* from below as b join artifact_nodes as n on n.parent = b.path where b.is_directory = 1)
  select * from below) as found`);

/** All files below a directory, by path. */
export async function filesBelow(own: Own, path: string): Promise<readonly ArtifactFile[]> {
  const files = (await nodesBelow(own, path)).flatMap((row) => fileOf(row) ?? []);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Removes a file, or a directory with all in it, and what was made of it. Gives the holdings that have lost something. */
export async function removeNodes(own: Own, path: string): Promise<readonly string[]> {
  return await own.transaction().execute(async (transaction) => {
    const nodes = await nodesBelow(transaction, path);
    const lost = nodes.flatMap(({ holding }) => holding ?? []);
    for (const some of portions(nodes.map((node) => node.path))) {
      const packages = await transaction
        .deleteFrom('artifact_packages')
        .where('source', 'in', some)
        .returning('holding')
        .execute();
      lost.push(...packages.map(({ holding }) => holding));
      await transaction.deleteFrom('artifact_staged').where('path', 'in', some).execute();
      await transaction.deleteFrom('artifact_nodes').where('path', 'in', some).execute();
    }
    return [...new Set(lost)];
  });
}

/** Says where the bytes of staged files lie from now on, unless they were replaced meanwhile. Gives how many did. */
export async function unstage(
  own: Own,
  files: readonly Pick<ArtifactFile, 'path' | 'digest'>[],
  holding: string,
): Promise<number> {
  let moved = 0;
  for (const { path, digest } of files) {
    const { numUpdatedRows } = await own
      .updateTable('artifact_nodes')
      .set({ holding })
      .where('path', '=', path)
      .where('digest', '=', digest)
      .where('holding', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) continue;
    moved += 1;
    await own.deleteFrom('artifact_staged').where('path', '=', path).where('digest', '=', digest).execute();
  }
  return moved;
}

/** Gives the recipes of holdings. */
export async function recipesOf(own: Own, holdings: readonly string[]): Promise<readonly RecipeRef[]> {
  const refs: RecipeRef[] = [];
  for (const some of portions([...new Set(holdings)])) {
    const rows = await own.selectFrom('artifact_holdings').select('recipe').where('id', 'in', some).execute();
    refs.push(...rows.map(({ recipe }) => parseRecipe(recipe)));
  }
  return refs;
}

/** Reads a recipe as a row has it. Throws `integrity`. */
export function parseRecipe(text: string): RecipeRef {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null) {
    const { digest, pack, offset, length }: Readonly<Record<string, unknown>> = { ...value };
    if (typeof digest === 'string' && isDigest(digest) && typeof pack === 'string')
      if (typeof offset === 'number' && typeof length === 'number') return { digest, pack, offset, length };
  }
  throw new IngotError('integrity', 'a recipe in the database of artifacts is damaged');
}

/** Reads a row of the tree; undefined for a directory. */
function fileOf({ path, digest, size_bytes, holding, at }: ArtifactNodeRow): ArtifactFile | undefined {
  if (digest === null || !isDigest(digest)) return undefined;
  return { path, digest, sizeBytes: size_bytes ?? 0, holding: holding ?? undefined, at };
}

function inTheWay(path: string, what: string): IngotError {
  return new IngotError('invalid-request', `Invalid path: ${path} is ${what} already`, { operation: 'artifact.put' });
}

function portions<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_, n) => all.slice(n * AT_ONCE, (n + 1) * AT_ONCE));
}
